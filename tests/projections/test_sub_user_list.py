"""Sub-user list: filters, search, sort orders and pages, consistent with the account's state."""

from __future__ import annotations

import base64
import json
import threading
import unicodedata
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from adapters.postgres.signals import CHANNEL
from application.commands.accounts import AccountChanges
from application.commands.resources import ERASED, account_details, sub_user_details
from application.errors import InvalidValue
from domain.sub_user import AccessStatus
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
    ({"q": "zoe ang"}, {"Zoë"}),
    ({"q": "edśger"}, {"Edsger"}),
    ({"q": "O\u2019BRIEN"}, {"100%"}),
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


def base_letters(text: str) -> str:
    """Return a Latin text in lower case without accents."""
    return "".join(letter for letter in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(letter))


def expected_key(sort: Sort) -> Callable[[SubUserDetails], Any]:
    def name_and_surname(sub_user: SubUserDetails) -> tuple[str, str]:
        return base_letters(sub_user.name), base_letters(sub_user.surname)

    keys: dict[Sort, Callable[[SubUserDetails], Any]] = {
        Sort.CREATED_AT: lambda sub_user: sub_user.created_at,
        Sort.NAME: name_and_surname,
        Sort.SURNAME: lambda sub_user: name_and_surname(sub_user)[::-1],
        Sort.EMAIL: lambda sub_user: sub_user.email.lower(),
        Sort.STATUS: lambda sub_user: (sub_user.status != "active", name_and_surname(sub_user)),
        Sort.LAST_LOGIN_AT: lambda sub_user: (
            (sub_user.last_login_at is not None, sub_user.last_login_at),
            name_and_surname(sub_user),
        ),
    }
    return lambda sub_user: (keys[sort](sub_user), sub_user.sub_user_id)


ACCENTED = [
    ("Émile", "Zola"),
    ("Café", "Noir"),
    ("Zoë", "Baker"),
    ("Zoe", "Ångström"),
    ("Già", "Detto"),
    ("Straße", "Łukasz"),
    ("Anna", "Zanetti"),
    ("Anna Maria", "Bianchi"),
    ("Ørsted", "Þór"),
    ("Ёлка", "Иванова"),
]
SEARCHES = {
    "emile": "Émile",
    "cafe": "Café",
    "CAFÉ": "Café",
    "gia": "Già",
    "GIÀ": "Già",
    "strasse lukasz": "Straße",
    "orsted thor": "Ørsted",
    "ёлка": "Ёлка",
    "елка": "Ёлка",
}


def test_search_and_order_ignore_accents_and_case(service: Service, company: Company) -> None:
    """Of people with the same name, the surname decides, also across pages."""
    for name, surname in ACCENTED:
        company.create_sub_user(name=name, surname=surname)
    catch_up(service)

    assert {text: names(company, q=text) for text in SEARCHES} == {text: [name] for text, name in SEARCHES.items()}
    assert set(names(company, q="zoe")) == set(names(company, q="ZOË")) == {"Zoë", "Zoe"}
    by_name = fetch_all_pages(company, SubUserFilter(sort=Sort.NAME), 3)
    assert [f"{sub_user.name} {sub_user.surname}" for sub_user in by_name] == [
        "Anna Zanetti",
        "Anna Maria Bianchi",
        "Café Noir",
        "Émile Zola",
        "Già Detto",
        "Ørsted Þór",
        "Straße Łukasz",
        "Zoe Ångström",
        "Zoë Baker",
        "Ёлка Иванова",
    ]
    by_surname = fetch_all_pages(company, SubUserFilter(sort=Sort.SURNAME), 3)
    assert [sub_user.surname for sub_user in by_surname][:4] == ["Ångström", "Baker", "Bianchi", "Detto"]


def test_names_that_expand_when_accents_are_removed_can_be_paged(service: Service, company: Company) -> None:
    """One character can become eighteen. Cursors must stay within their maximum length."""
    for number in range(3):
        company.create_sub_user(name=100 * "\ufdfa", surname=f"{number}" + 99 * "\ufdfa")
    catch_up(service)

    for sort in Sort:
        assert len(fetch_all_pages(company, SubUserFilter(sort=sort), 1)) == 3


def test_first_page_by_name_reads_an_index(service: Service, company: Company, database_url: str) -> None:
    """A page of a long list reads as many rows as it shows."""
    company.create_sub_user()
    catch_up(service)
    with connect(database_url) as connection:
        connection.execute(
            "INSERT INTO sub_user_view (sub_user_id, account_id, email, name, surname, visible, created_at) "
            "SELECT gen_random_uuid(), %s, i || '@company.example', 'Zoë', 'Number ' || i, true, now() "
            "FROM generate_series(1, 5000) i",
            [company.account_id],
        )
        connection.execute("ANALYZE sub_user_view")
        connection.execute("SET enable_indexscan = on")  # servers of tests can have unusual planner settings
        plan = connection.execute(
            "EXPLAIN SELECT * FROM sub_user_view WHERE account_id = %s ORDER BY name_key, sub_user_id LIMIT 10",
            [company.account_id],
        ).fetchall()
    assert "sub_user_view_name_idx" in str(plan)


ACCESS = {
    # name: access status, (active, expires after hours, has logged in, locked)
    "Ada": (AccessStatus.ACTIVE, (True, None, True, False)),
    "Bea": (AccessStatus.ACTIVE, (True, 7 * 24 + 1, True, False)),
    "Cleo": (AccessStatus.EXPIRING, (True, 7 * 24 - 1, True, False)),
    "Dora": (AccessStatus.INVITED, (True, None, False, False)),
    "Elsa": (AccessStatus.INVITED, (True, 1, False, False)),
    "Fay": (AccessStatus.EXPIRED, (True, -1, True, True)),
    "Gia": (AccessStatus.LOCKED, (True, 1, True, True)),
    "Hope": (AccessStatus.INACTIVE, (False, -1, True, True)),
    "Iris": (AccessStatus.INACTIVE, (False, None, False, False)),
}


def test_access_status_of_lists_is_that_of_the_details(
    service: Service, company: Company, clock: TravelingClock, database_url: str
) -> None:
    """Filter and counts follow the clock: nothing is stored."""
    clock.freeze()
    now = clock()
    for name, (_, (active, expires_after, has_logged_in, locked)) in ACCESS.items():
        company.create_sub_user(name=name)
        catch_up(service)
        fetch(
            database_url,
            "UPDATE sub_user_view SET active = %s, access_expires_at = %s, last_login_at = %s, locked = %s "
            "WHERE name = %s",
            active,
            None if expires_after is None else now + timedelta(hours=expires_after),
            now if has_logged_in else None,
            locked,
            name,
        )
    expected = {name: status for name, (status, _) in ACCESS.items()}
    listed = fetch_all_pages(company, SubUserFilter(), 50)

    assert {sub_user.name: sub_user.access_status(now) for sub_user in listed} == expected
    for status in AccessStatus:
        assert set(names(company, access_status=status)) == {name for name in expected if expected[name] == status}
    counts = service.queries.sub_users.count_by_access_status(company.account_id, SubUserFilter())
    assert counts == Counter(expected.values())
    of_search = service.queries.sub_users.count_by_access_status(company.account_id, SubUserFilter(q="bea"))
    assert of_search == {**dict.fromkeys(AccessStatus, 0), AccessStatus.ACTIVE: 1}

    clock.advance(hours=7 * 24)
    assert names(company, access_status=AccessStatus.EXPIRED, sort=Sort.NAME) == ["Cleo", "Elsa", "Fay", "Gia"]
    assert names(company, access_status=AccessStatus.EXPIRING) == ["Bea"]


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
        (populated_company, replace(sub_user_filter, access_status=AccessStatus.INACTIVE)),
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
