"""Sub-user list: filters, search, sort orders and pages, consistent with the account's state."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from adapters.postgres.signals import CHANNEL
from application.commands.accounts import AccountChanges
from application.commands.resources import ERASED, account_details, sub_user_details
from application.errors import InvalidValue
from projections.runtime.projection_follower import ProjectionFollower
from projections.sub_users.projection import SQL, UPSERT_SUB_USERS, SubUserProjection
from projections.sub_users.queries import Sort, SubUserFilter, parse_sort
from tests.builders import PORTAL, Company, catch_up, deliver_mails
from tests.postgres import LOCK_WAITERS, connect, fetch
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from api.bootstrap.service import Service
    from application.commands.resources import SubUserDetails
    from application.ports.vault import Vault, VaultEntry
    from tests.conftest import TravelingClock

SUB_USERS = [
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
def populated_company(service: Service, company: Company, clock: TravelingClock) -> Company:
    """Return a company with the eight sub-users of SUB_USERS, in a current view."""
    for email, name, surname, visible, active, logged_in in SUB_USERS:
        sub_user = company.create_sub_user(
            email, name=name, surname=surname, visible=visible, password="one phrase for all"
        )
        if active:
            sub_user.change(active=True)
        if logged_in:
            sub_user.log_in()
    catch_up(service)
    return company


def fetch_all_pages(company: Company, sub_user_filter: SubUserFilter, limit: int) -> list[SubUserDetails]:
    """Return the items of all pages."""
    sub_users: list[SubUserDetails] = []
    cursor: str | None = None
    while True:
        page = company.service.queries.sub_users.list(company.account_id, sub_user_filter, limit, cursor)
        assert len(page.items) <= limit
        sub_users += page.items
        if page.next_cursor is None:
            return sub_users
        assert len(page.items) == limit
        cursor = page.next_cursor


def names(company: Company, **filters: Any) -> list[str]:
    return [sub_user.name for sub_user in fetch_all_pages(company, SubUserFilter(**filters), 50)]


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


def test_list_filters(populated_company: Company) -> None:
    """Status, visibility, and case-insensitive search in full name or e-mail; filters combine."""
    for filters, expected in FILTERS:
        assert set(names(populated_company, **filters)) == expected, filters


def expected_key(sort: Sort) -> Callable[[SubUserDetails], Any]:
    keys: dict[Sort, Callable[[SubUserDetails], Any]] = {
        Sort.CREATED_AT: lambda sub_user: sub_user.created_at,
        Sort.NAME: lambda sub_user: sub_user.name.lower(),
        Sort.SURNAME: lambda sub_user: sub_user.surname.lower(),
        Sort.EMAIL: lambda sub_user: sub_user.email.lower(),
        Sort.STATUS: lambda sub_user: sub_user.status != "active",
        Sort.LAST_LOGIN_AT: lambda sub_user: (sub_user.last_login_at is not None, sub_user.last_login_at),
    }
    return lambda sub_user: (keys[sort](sub_user), sub_user.sub_user_id)


@pytest.mark.parametrize("descending", [False, True])
def test_pages_of_every_sort_order_contain_each_sub_user_once(populated_company: Company, descending: bool) -> None:
    """Applies to all page sizes, with ties and with sub-users who never logged in."""
    for sort in Sort:
        for limit in (1, 2, 3, 7, 8, 9):
            sub_users = fetch_all_pages(populated_company, SubUserFilter(sort=sort, descending=descending), limit)

            assert len(sub_users) == len(SUB_USERS)
            assert sub_users == sorted(sub_users, key=expected_key(sort), reverse=descending), (sort, limit)


def test_changes_between_pages_do_not_shift_later_pages(populated_company: Company) -> None:
    """A sub-user created or deleted before the cursor causes no repeated or missing item after it."""
    service = populated_company.service
    sub_user_filter = SubUserFilter(sort=Sort.NAME)
    first = service.queries.sub_users.list(populated_company.account_id, sub_user_filter, 3, None)
    populated_company.create_sub_user("aaron@company.example", name="Aaron")
    service.commands.sub_users.delete(populated_company.account_id, first.items[2].sub_user_id, PORTAL)
    catch_up(service)

    second = service.queries.sub_users.list(populated_company.account_id, sub_user_filter, 50, first.next_cursor)

    assert [sub_user.name for sub_user in first.items] == ["100%", "Ada", "Alan"]
    assert [sub_user.name.lower() for sub_user in second.items] == ["barbara", "edsger", "grace", "grace", "zoë"]
    assert not {sub_user.sub_user_id for sub_user in first.items} & {sub_user.sub_user_id for sub_user in second.items}


def test_list_cursor_is_bound_to_account_filter_and_order(populated_company: Company, service: Service) -> None:
    sub_user_filter = SubUserFilter(sort=Sort.NAME)
    cursor = service.queries.sub_users.list(populated_company.account_id, sub_user_filter, 2, None).next_cursor
    assert cursor is not None
    other = Company.register(service)
    catch_up(service)

    foreign: list[tuple[Company, SubUserFilter]] = [
        (other, sub_user_filter),
        (populated_company, replace(sub_user_filter, descending=True)),
        (populated_company, replace(sub_user_filter, sort=Sort.EMAIL)),
        (populated_company, replace(sub_user_filter, status="active")),
        (populated_company, replace(sub_user_filter, visibility="visible")),
        (populated_company, replace(sub_user_filter, q="a")),
    ]
    for company, other_filter in foreign:
        with pytest.raises(InvalidValue) as refused:
            service.queries.sub_users.list(company.account_id, other_filter, 2, cursor)
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


def test_tampered_cursor_is_refused(populated_company: Company) -> None:
    sub_user_filter = SubUserFilter(sort=Sort.NAME)
    service = populated_company.service
    cursor = service.queries.sub_users.list(populated_company.account_id, sub_user_filter, 2, None).next_cursor
    assert cursor is not None

    for tamper in TAMPERING:
        with pytest.raises(InvalidValue) as refused:
            service.queries.sub_users.list(populated_company.account_id, sub_user_filter, 2, tamper(cursor))
        assert refused.value.field == "cursor"


def test_cursor_is_valid_in_every_process(populated_company: Company, build: Callable[..., Service]) -> None:
    sub_user_filter = SubUserFilter(sort=Sort.NAME)
    first = populated_company.service.queries.sub_users.list(populated_company.account_id, sub_user_filter, 4, None)

    second = build().queries.sub_users.list(populated_company.account_id, sub_user_filter, 50, first.next_cursor)

    assert len(first.items + second.items) == len(SUB_USERS)


@pytest.mark.parametrize("text", ["name", "-name", "created_at", "-last_login_at", "status"])
def test_sort_order_is_parsed(text: str) -> None:
    """A field name; a leading minus reverses the order."""
    assert parse_sort(text) == (Sort(text.removeprefix("-")), text.startswith("-"))


@pytest.mark.parametrize("text", ["", "-", "--name", "password", "name;", "NAME"])
def test_invalid_sort_order_is_refused(text: str) -> None:
    """The error lists the valid fields."""
    with pytest.raises(InvalidValue, match="last_login_at"):
        parse_sort(text)


def test_view_equals_the_account_state(service: Service, company: Company, clock: TravelingClock) -> None:
    """They are equal after every kind of change to sub-users and account."""
    first, second, third = (
        company.create_sub_user(visible=False),
        company.create_active(),
        company.create_with_own_password(),
    )
    first.change(name="Ada", surname="Lovelace", changes_expiry=True, access_expires_at=clock() + timedelta(days=3))
    deliver_mails(service)
    second.change(active=False)
    second.change(active=True)
    third.change(password="a phrase from the boss")
    third.change(visible=False)
    fourth = company.create_active()
    fourth.change(active=False)
    service.commands.accounts.change(company.account_id, AccountChanges(company_name="New & Co", language="it"), PORTAL)
    catch_up(service)

    account = company.state()
    entries = service.vault.entries([company.account_id, *account.sub_users])
    expected = [
        sub_user_details(company.account_id, sub_user, entries[sub_user.sub_user_id].key)
        for sub_user in account.sub_users.values()
    ]
    listed = service.queries.sub_users.list(company.account_id, SubUserFilter(), 50, None).items
    assert sorted(listed, key=lambda sub_user: sub_user.sub_user_id) == sorted(
        expected, key=lambda sub_user: sub_user.sub_user_id
    )
    assert service.queries.sub_users.account(company.account_id) == account_details(
        account, entries[company.account_id].key
    )
    assert [
        service.queries.sub_users.sub_user(company.account_id, sub_user.sub_user_id) for sub_user in expected
    ] == expected


def test_closed_account_shows_when_it_was_closed(service: Service, company: Company) -> None:
    service.commands.accounts.close(company.account_id, PORTAL)
    catch_up(service)

    assert service.queries.sub_users.account(company.account_id).closed_at is not None


def test_erasure_waits_for_a_follower_that_read_the_row(service: Service, company: Company, database_url: str) -> None:
    """Otherwise the follower would store the erased name again."""
    sub_user = company.create_sub_user()
    catch_up(service)
    deletion = threading.Thread(target=sub_user.delete)
    with connect(database_url) as follower, follower.transaction():
        ((_, row),) = follower.execute(SQL["find_sub_users"], {"ids": [str(sub_user.sub_user_id)]}).fetchall()
        deletion.start()
        eventually(lambda: fetch(database_url, LOCK_WAITERS))
        follower.execute(UPSERT_SUB_USERS, {"rows": json.dumps([row])})
    deletion.join()
    assert fetch(database_url, "SELECT name FROM sub_user_view") == []


def test_erasure_waits_for_a_follower_that_decrypts_account_data(
    service: Service, company: Company, database_url: str
) -> None:
    """The follower locks the account's row before it loads the data key."""
    catch_up(service)
    service.commands.accounts.change(company.account_id, AccountChanges(company_name="Canary & Co"), PORTAL)
    erasure = threading.Thread(target=service.commands.erasures.erase_account, args=[company.account_id])

    class SlowVault:
        def entries(self, person_ids: Sequence[UUID]) -> Mapping[UUID, VaultEntry]:
            vault_entries = service.vault.entries(person_ids)
            erasure.start()
            eventually(lambda: not erasure.is_alive() or fetch(database_url, LOCK_WAITERS))
            return vault_entries

    view = SubUserProjection(cast("Vault", SlowVault()))
    with connect(database_url) as connection:
        assert ProjectionFollower(view, lambda: connect(database_url), CHANNEL).step(connection)
    erasure.join()
    assert fetch(database_url, "SELECT company_name FROM account_view") == [(ERASED,)]
