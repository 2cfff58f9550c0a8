"""The list of sub-users: filtered, searched, sorted, in pages, and equal to what the commands say."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from adapters.postgres.signals import CHANNEL
from application.accounts import AccountChanges
from application.errors import InvalidValue
from application.resources import ERASED, account_details, sub_user_details
from projections.follower import Follower
from projections.sub_user_list import SQL, SubUserList
from projections.sub_user_queries import Sort, SubUserFilter, sort_order
from tests.people import PORTAL, Company, catch_up, deliver_mails
from tests.postgres import WAITING_FOR_A_LOCK, ask, connect
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from api.bootstrap import Service
    from application.ports import Vault, VaultEntry
    from application.resources import SubUserDetails
    from tests.conftest import TravelingClock

PEOPLE = [
    # e-mail, name, surname, visible, active, logged in
    ("ada@a.example", "Ada", "Lovelace", True, True, True),
    ("Grace@b.example", "grace", "Hopper", True, True, False),
    ("alan@c.example", "Alan", "Turing", False, False, False),
    ("edsger@d.example", "Edsger", "Dijkstra", True, False, False),
    ("barbara@e.example", "Barbara", "Liskov", False, True, True),
    ("grace2@f.example", "Grace", "Murray", True, False, False),
    ("zoe@g.example", "Zoë", "Ångström", True, False, False),
    ("percent@h.example", "100%", "O'Brien_", True, False, False),
]


@pytest.fixture
def everybody(service: Service, company: Company, clock: TravelingClock) -> Company:
    """Give a company with eight sub-users of every kind, in a view that is current."""
    for email, name, surname, visible, active, logged_in in PEOPLE:
        one = company.let_in(email, name=name, surname=surname, visible=visible, password="one phrase for all")
        if active:
            one.change(active=True)
        if logged_in:
            one.log_in()
    catch_up(service)
    return company


def pages(company: Company, wanted: SubUserFilter, limit: int) -> list[SubUserDetails]:
    """Return all there is, page after page."""
    found: list[SubUserDetails] = []
    cursor: str | None = None
    while True:
        page = company.service.sub_user_queries.list(company.account_id, wanted, limit, cursor)
        assert len(page.items) <= limit
        found += page.items
        if page.next_cursor is None:
            return found
        assert len(page.items) == limit
        cursor = page.next_cursor


def names(company: Company, **wanted: Any) -> list[str]:
    return [one.name for one in pages(company, SubUserFilter(**wanted), 50)]


FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"Ada", "grace", "Alan", "Edsger", "Barbara", "Grace", "Zoë", "100%"}),
    ({"status": "active"}, {"Ada", "grace", "Barbara"}),
    ({"status": "inactive"}, {"Alan", "Edsger", "Grace", "Zoë", "100%"}),
    ({"visibility": "visible"}, {"Ada", "grace", "Edsger", "Grace", "Zoë", "100%"}),
    ({"visibility": "hidden"}, {"Alan", "Barbara"}),
    ({"status": "active", "visibility": "hidden"}, {"Barbara"}),
    ({"q": "GRACE"}, {"grace", "Grace"}),
    ({"q": "love"}, {"Ada"}),
    ({"q": "e.example"}, {"Barbara"}),
    ({"q": "ada lovelace"}, {"Ada"}),
    ({"q": "ÅNGSTRÖM"}, {"Zoë"}),
    ({"q": "%"}, {"100%"}),
    ({"q": "_"}, {"100%"}),
    ({"q": "'"}, {"100%"}),
    ({"q": "\\"}, set()),
    ({"q": "nobody at all"}, set()),
    ({"q": "grace", "status": "active"}, {"grace"}),
]


def test_filters(everybody: Company) -> None:
    """By status, visibility and any part of name, surname or e-mail, in whatever case, and by all of these together."""
    for wanted, expected in FILTERS:
        assert set(names(everybody, **wanted)) == expected, wanted


def expected_key(sort: Sort) -> Callable[[SubUserDetails], Any]:
    keys: dict[Sort, Callable[[SubUserDetails], Any]] = {
        Sort.CREATED_AT: lambda one: one.created_at,
        Sort.NAME: lambda one: one.name.lower(),
        Sort.SURNAME: lambda one: one.surname.lower(),
        Sort.EMAIL: lambda one: one.email.lower(),
        Sort.STATUS: lambda one: one.status != "active",
        Sort.LAST_LOGIN_AT: lambda one: (one.last_login_at is not None, one.last_login_at),
    }
    return lambda one: (keys[sort](one), one.sub_user_id)


@pytest.mark.parametrize("descending", [False, True])
def test_every_order_in_pages(everybody: Company, descending: bool) -> None:
    """Each sub-user once, in order, through ties and through those who never logged in, however small the pages."""
    for sort in Sort:
        for limit in (1, 2, 3, 7, 8, 9):
            found = pages(everybody, SubUserFilter(sort=sort, descending=descending), limit)

            assert len(found) == len(PEOPLE)
            assert found == sorted(found, key=expected_key(sort), reverse=descending), (sort, limit)


def test_pages_are_not_shifted_by_what_happens_meanwhile(everybody: Company) -> None:
    """Somebody who comes or goes before the cursor neither repeats nor hides anybody after it."""
    service = everybody.service
    wanted = SubUserFilter(sort=Sort.NAME)
    first = service.sub_user_queries.list(everybody.account_id, wanted, 3, None)
    everybody.let_in("aaron@company.example", name="Aaron")
    service.sub_users.delete(everybody.account_id, first.items[2].sub_user_id, PORTAL)
    catch_up(service)

    second = service.sub_user_queries.list(everybody.account_id, wanted, 50, first.next_cursor)

    assert [one.name for one in first.items] == ["100%", "Ada", "Alan"]
    assert [one.name.lower() for one in second.items] == ["barbara", "edsger", "grace", "grace", "zoë"]
    assert not {one.sub_user_id for one in first.items} & {one.sub_user_id for one in second.items}


def test_a_cursor_is_good_for_its_list_alone(everybody: Company, service: Service) -> None:
    """Not for another account's, another filter or another order."""
    wanted = SubUserFilter(sort=Sort.NAME)
    cursor = service.sub_user_queries.list(everybody.account_id, wanted, 2, None).next_cursor
    assert cursor is not None
    other = Company.register(service)
    catch_up(service)

    foreign: list[tuple[Company, SubUserFilter]] = [
        (other, wanted),
        (everybody, replace(wanted, descending=True)),
        (everybody, replace(wanted, sort=Sort.EMAIL)),
        (everybody, replace(wanted, status="active")),
        (everybody, replace(wanted, visibility="visible")),
        (everybody, replace(wanted, q="a")),
    ]
    for company, its_filter in foreign:
        with pytest.raises(InvalidValue) as refused:
            service.sub_user_queries.list(company.account_id, its_filter, 2, cursor)
        assert refused.value.field == "cursor"


TAMPERING: list[Callable[[str], str]] = [
    lambda cursor: cursor[:-1],
    lambda cursor: cursor + "A",
    lambda cursor: "A" + cursor,
    lambda cursor: cursor.swapcase(),
    lambda _: "x",
    lambda _: "\x00",
    lambda _: "\ud800",
    lambda _: "é",
    lambda _: "=" * 50,
    lambda _: "A" * 100_000,
    lambda _: base64.urlsafe_b64encode(b"0" * 16 + b'["a","b"]').decode(),
    lambda cursor: cursor[:22] + base64.urlsafe_b64encode(b'["\'; DROP TABLE vault; --","b"]').decode(),
]


def test_a_cursor_made_up_by_somebody_else_is_refused(everybody: Company) -> None:
    """Whatever is done to it."""
    wanted = SubUserFilter(sort=Sort.NAME)
    service = everybody.service
    cursor = service.sub_user_queries.list(everybody.account_id, wanted, 2, None).next_cursor
    assert cursor is not None

    for tamper in TAMPERING:
        with pytest.raises(InvalidValue) as refused:
            service.sub_user_queries.list(everybody.account_id, wanted, 2, tamper(cursor))
        assert refused.value.field == "cursor"


def test_a_cursor_is_good_in_every_process(everybody: Company, build: Callable[..., Service]) -> None:
    """Whichever one wrote it."""
    wanted = SubUserFilter(sort=Sort.NAME)
    first = everybody.service.sub_user_queries.list(everybody.account_id, wanted, 4, None)

    second = build().sub_user_queries.list(everybody.account_id, wanted, 50, first.next_cursor)

    assert len(first.items + second.items) == len(PEOPLE)


@pytest.mark.parametrize("text", ["name", "-name", "created_at", "-last_login_at", "status"])
def test_an_order_is_read(text: str) -> None:
    """A field, and a minus to reverse it."""
    assert sort_order(text) == (Sort(text.removeprefix("-")), text.startswith("-"))


@pytest.mark.parametrize("text", ["", "-", "--name", "password", "name;", "NAME"])
def test_what_is_no_order_is_refused(text: str) -> None:
    """Naming those there are."""
    with pytest.raises(InvalidValue, match="last_login_at"):
        sort_order(text)


def test_the_view_says_what_the_commands_say(service: Service, company: Company, clock: TravelingClock) -> None:
    """After everything that can happen to sub-users, each is in the view exactly as in the account itself."""
    one, two, three = company.let_in(visible=False), company.let_in_active(), company.let_in_settled()
    one.change(name="Ada", surname="Lovelace", expiry_given=True, access_expires_at=clock() + timedelta(days=3))
    deliver_mails(service)
    two.change(active=False)
    two.change(active=True)
    three.change(password="a phrase from the boss")
    three.change(visible=False)
    four = company.let_in_active()
    four.change(active=False)
    service.accounts.change(company.account_id, AccountChanges(company_name="New & Co", language="it"), PORTAL)
    catch_up(service)

    account = company.state()
    entries = service.vault.entries([company.account_id, *account.sub_users])
    expected = [
        sub_user_details(company.account_id, each, entries[each.sub_user_id].key) for each in account.sub_users.values()
    ]
    listed = service.sub_user_queries.list(company.account_id, SubUserFilter(), 50, None).items
    assert sorted(listed, key=lambda each: each.sub_user_id) == sorted(expected, key=lambda each: each.sub_user_id)
    assert service.sub_user_queries.account(company.account_id) == account_details(
        account, entries[company.account_id].key
    )
    assert [service.sub_user_queries.sub_user(company.account_id, each.sub_user_id) for each in expected] == expected


def test_a_closed_account_can_still_be_read(service: Service, company: Company) -> None:
    """And says since when it is closed."""
    service.accounts.close(company.account_id, PORTAL)
    catch_up(service)

    assert service.sub_user_queries.account(company.account_id).closed_at is not None


def test_a_name_that_was_read_before_its_erasure_does_not_come_back(
    service: Service, company: Company, database_url: str
) -> None:
    """Whoever forgets a person waits for the follower that is about to write them down again."""
    one = company.let_in()
    catch_up(service)
    deletion = threading.Thread(target=one.delete)
    with connect(database_url) as follower, follower.transaction():
        ((_, row),) = follower.execute(SQL["find_sub_users"], {"ids": [str(one.sub_user_id)]}).fetchall()
        deletion.start()
        eventually(lambda: ask(database_url, WAITING_FOR_A_LOCK))
        follower.execute(SQL["put_sub_users"], {"rows": json.dumps([row])})
    deletion.join()
    assert ask(database_url, "SELECT name FROM sub_user_view") == []


def test_a_name_that_was_opened_before_its_erasure_does_not_come_back(
    service: Service, company: Company, database_url: str
) -> None:
    """Nor does what an event says of its owner: its key is taken once their row is held."""
    catch_up(service)
    service.accounts.change(company.account_id, AccountChanges(company_name="Canary & Co"), PORTAL)
    erasure = threading.Thread(target=service.erasures.erase_account, args=[company.account_id])

    class SlowVault:
        def entries(self, person_ids: Sequence[UUID]) -> Mapping[UUID, VaultEntry]:
            found = service.vault.entries(person_ids)
            erasure.start()
            eventually(lambda: not erasure.is_alive() or ask(database_url, WAITING_FOR_A_LOCK))
            return found

    view = SubUserList(cast("Vault", SlowVault()))
    with connect(database_url) as connection:
        assert Follower(view, lambda: connect(database_url), CHANNEL).step(connection)
    erasure.join()
    assert ask(database_url, "SELECT company_name FROM account_view") == [(ERASED,)]
