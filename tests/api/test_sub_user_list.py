"""List of an account's sub-users: filters, sort orders, pages, cursors, and read-your-writes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.clients import ApiClients, require_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap.service import Service
    from tests.api.clients import Account, ApiClient
    from tests.conftest import TravelingClock

SUB_USERS: list[dict[str, Any]] = [
    {"name": "Ada", "surname": "Lovelace", "email": "ada@engines.example", "visible": True},
    {"name": "alan", "surname": "Turing", "email": "Alan@bletchley.example", "visible": False},
    {"name": "Grace", "surname": "hopper", "email": "grace@navy.example", "visible": True},
    {"name": "Barbara", "surname": "Liskov", "email": "liskov@clu.example", "visible": False},
    {"name": "Édith", "surname": "Clarke", "email": "edith@grid.example", "visible": True},
]
SORTS = ["created_at", "name", "surname", "email", "status", "last_login_at"]


@pytest.fixture(scope="module")
def account_with_five(clients: ApiClients) -> Account:
    """Return an account with five sub-users; Ada and Alan are active and have logged in, Ada last."""
    account = clients.register_account()
    sub_users = [account.create_sub_user(**details) for details in SUB_USERS]
    for sub_user in sub_users[:2]:
        sub_user.change(status="active")
    sub_users[1].new_token()
    sub_users[0].new_token()
    return account


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    assert set(response.json) == {"items", "next_cursor"}
    return [item["name"] for item in response.json["items"]]


def pages(portal: ApiClient, path: str, **query: Any) -> Iterator[list[dict[str, Any]]]:
    cursor = None
    while True:
        body: Any = portal.get(path, query_string={**query, **({"cursor": cursor} if cursor else {})}).json
        yield body["items"]
        cursor = body["next_cursor"]
        if cursor is None:
            return


def test_list_has_all_sub_users_in_order_of_creation(account_with_five: Account, portal: ApiClient) -> None:
    """Hidden sub-users are included; each item equals what a read of the sub-user returns."""
    response = portal.get(f"{account_with_five.path}/sub-users")
    assert names(response) == ["Ada", "alan", "Grace", "Barbara", "Édith"]
    items: Any = response.json["items"]  # type: ignore[index]
    assert [item["visible"] for item in items] == [True, False, True, False, True]
    assert items == [portal.get(f"{account_with_five.path}/sub-users/{item['sub_user_id']}").json for item in items]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "active"}, ["Ada", "alan"]),
        ({"status": "inactive"}, ["Grace", "Barbara", "Édith"]),
        ({"visibility": "visible"}, ["Ada", "Grace", "Édith"]),
        ({"visibility": "hidden"}, ["alan", "Barbara"]),
        ({"visibility": "all"}, ["Ada", "alan", "Grace", "Barbara", "Édith"]),
        ({"q": "LOVE"}, ["Ada"]),
        ({"q": "a"}, ["Ada", "alan", "Grace", "Barbara", "Édith"]),
        ({"q": "ace hop"}, ["Grace"]),
        ({"q": "@navy"}, ["Grace"]),
        ({"q": "édith"}, ["Édith"]),
        ({"q": "E\u0301dith"}, ["Édith"]),
        ({"q": "%"}, []),
        ({"q": "_"}, []),
        ({"q": "'; DROP TABLE vault; --"}, []),
        ({"q": ""}, ["Ada", "alan", "Grace", "Barbara", "Édith"]),
        ({"status": "inactive", "visibility": "visible", "q": "e"}, ["Grace", "Édith"]),
    ],
)
def test_filters(account_with_five: Account, portal: ApiClient, query: dict[str, str], expected: list[str]) -> None:
    """Filters are status, visibility, and a part of the name or e-mail (no wildcards); they can be combined."""
    assert names(portal.get(f"{account_with_five.path}/sub-users", query_string=query)) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("created_at", ["Ada", "alan", "Grace", "Barbara", "Édith"]),
        ("name", ["Ada", "alan", "Barbara", "Grace", "Édith"]),
        ("surname", ["Édith", "Grace", "Barbara", "Ada", "alan"]),
        ("email", ["Ada", "alan", "Édith", "Grace", "Barbara"]),
    ],
)
def test_sort_orders(account_with_five: Account, portal: ApiClient, sort: str, expected: list[str]) -> None:
    """Sorting ignores case; a minus reverses the order.

    The database's collation decides where É goes.
    """
    sorted_names = names(portal.get(f"{account_with_five.path}/sub-users", query_string={"sort": sort}))
    assert [name for name in sorted_names if name != "Édith"] == [name for name in expected if name != "Édith"]
    assert (
        names(portal.get(f"{account_with_five.path}/sub-users", query_string={"sort": f"-{sort}"}))
        == sorted_names[::-1]
    )


def test_sort_by_status_and_last_login(account_with_five: Account, portal: ApiClient) -> None:
    """Active sub-users come first; those who never logged in come before the others."""
    by_status = names(portal.get(f"{account_with_five.path}/sub-users", query_string={"sort": "status"}))
    assert set(by_status[:2]) == {"Ada", "alan"}
    by_login = names(portal.get(f"{account_with_five.path}/sub-users", query_string={"sort": "last_login_at"}))
    assert by_login[3:] == ["alan", "Ada"]
    latest_first = names(portal.get(f"{account_with_five.path}/sub-users", query_string={"sort": "-last_login_at"}))
    assert latest_first == by_login[::-1]


@pytest.mark.parametrize("sort", [f"{minus}{sort}" for sort in SORTS for minus in ("", "-")])
@pytest.mark.parametrize("limit", [1, 2, 4])
def test_pages_together_are_the_whole_list(
    account_with_five: Account, portal: ApiClient, sort: str, limit: int
) -> None:
    """Following `next_cursor` returns each sub-user once, in every sort order."""
    path = f"{account_with_five.path}/sub-users"
    full_list: Any = portal.get(path, query_string={"sort": sort}).json
    all_pages = list(pages(portal, path, sort=sort, limit=limit))
    assert [item for page in all_pages for item in page] == full_list["items"]
    assert [len(page) for page in all_pages[:-1]] == [limit] * (len(all_pages) - 1)
    assert len(all_pages[-1]) > 0


def test_pages_stay_consistent_during_changes(account: Account, portal: ApiClient) -> None:
    """Between two pages one sub-user is deleted and another added; none is skipped or repeated."""
    sub_users = [account.create_sub_user(name=f"Person {number}") for number in range(4)]
    first_page: Any = portal.get(f"{account.path}/sub-users?limit=2").json
    portal.delete(sub_users[1].path)
    account.create_sub_user(name="Latecomer")
    second_page: Any = portal.get(f"{account.path}/sub-users?limit=9&cursor={first_page['next_cursor']}").json
    assert [item["name"] for item in second_page["items"]] == ["Person 2", "Person 3", "Latecomer"]
    assert second_page["next_cursor"] is None


@pytest.mark.parametrize("limit", ["0", "-1", "201", "9" * 30, "ten", "1.5", "", "1e2", "0x10", "\0"])
def test_limit_outside_1_to_200_is_refused(account_with_five: Account, portal: ApiClient, limit: str) -> None:
    response = portal.get(f"{account_with_five.path}/sub-users", query_string={"limit": limit})
    require_problem(response, 422, "invalid-input", "limit")


def test_limit_of_200_is_accepted(account_with_five: Account, portal: ApiClient) -> None:
    assert len(names(portal.get(f"{account_with_five.path}/sub-users?limit=200"))) == 5


@pytest.mark.parametrize(
    "query",
    [
        {"status": "asleep"},
        {"visibility": "some"},
        {"sort": "password_hash"},
        {"sort": "--name"},
        {"q": "x" * 101},
        {"cursor": ""},
        {"cursor": "x" * 2001},
        {"limits": "5"},
        {"state": "active"},
    ],
)
def test_invalid_query_is_refused(account_with_five: Account, portal: ApiClient, query: dict[str, str]) -> None:
    """An unknown parameter is refused too, or a misspelled filter would be ignored silently."""
    response = portal.get(f"{account_with_five.path}/sub-users", query_string=query)
    require_problem(response, 422, "invalid-input", *query)


def first_cursor(portal: ApiClient, account: Account, **query: Any) -> str:
    """Return the cursor of the second page."""
    first_page: Any = portal.get(f"{account.path}/sub-users", query_string={"limit": 1, **query}).json
    cursor: str = first_page["next_cursor"]
    return cursor


def test_cursor_is_bound_to_its_list(
    account_with_five: Account, clients: ApiClients, account: Account, portal: ApiClient
) -> None:
    """A cursor of another account, filter, sort order or list is refused."""
    cursor = first_cursor(portal, account_with_five)
    account.create_sub_user()
    for path, query in (
        (f"{account.path}/sub-users", {}),
        (f"{account_with_five.path}/sub-users", {"status": "active"}),
        (f"{account_with_five.path}/sub-users", {"visibility": "visible"}),
        (f"{account_with_five.path}/sub-users", {"q": "a"}),
        (f"{account_with_five.path}/sub-users", {"sort": "name"}),
        (f"{account_with_five.path}/sub-users", {"sort": "-created_at"}),
        (f"{account_with_five.path}/audit-log", {}),
    ):
        response = portal.get(path, query_string={**query, "cursor": cursor})
        require_problem(response, 422, "invalid-input", "cursor")
    audit_log_page: Any = portal.get(f"{account_with_five.path}/audit-log?limit=1").json
    response = portal.get(f"{account_with_five.path}/sub-users", query_string={"cursor": audit_log_page["next_cursor"]})
    require_problem(response, 422, "invalid-input", "cursor")


def test_cursor_can_be_reused_with_another_limit(account_with_five: Account, portal: ApiClient) -> None:
    cursor = first_cursor(portal, account_with_five)
    for _ in range(2):
        response = portal.get(f"{account_with_five.path}/sub-users", query_string={"cursor": cursor, "limit": 3})
        assert names(response) == ["alan", "Grace", "Barbara"]


def test_tampered_cursor_is_refused(account_with_five: Account, portal: ApiClient) -> None:
    """Its characters are changed, removed or added."""
    cursor = first_cursor(portal, account_with_five, sort="name")
    replacement = {"A": "B"}
    forged = [
        cursor[:index] + replacement.get(cursor[index], "A") + cursor[index + 1 :]
        for index in range(0, len(cursor) - 1, 3)
    ]
    forged += [
        cursor[1:],
        cursor[:-1],
        f"A{cursor}",
        f"{cursor}!",
        f"{cursor[:9]}\u00e9{cursor[9:]}",
        "e30",
        "-",
        "a" * 17,
    ]
    for text in forged:
        response = portal.get(f"{account_with_five.path}/sub-users", query_string={"sort": "name", "cursor": text})
        require_problem(response, 422, "invalid-input", "cursor")


def test_event_position_header_ensures_a_fresh_read(account: Account, portal: ApiClient) -> None:
    """A read with the Event-Position of an earlier response reflects that event."""
    sub_user = account.create_sub_user()
    headers = {"Event-Position": sub_user.response.headers["Event-Position"]}

    sub_users, read_sub_user, read_account, audit_log = (
        portal.get(path, headers=headers)
        for path in (f"{account.path}/sub-users", sub_user.path, account.path, f"{account.path}/audit-log")
    )

    assert names(sub_users) == ["Grace"]
    assert read_sub_user.json == sub_user.response.json
    assert read_account.json["sub_user_count"] == 1  # type: ignore[index]
    assert str(audit_log.json["items"][0]["position"]) == headers["Event-Position"]  # type: ignore[index]


def test_stale_read_returns_503(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """No projection runs in this test; the wait for it is bounded."""
    monkeypatch.setattr("projections.runtime.freshness.MAX_WAIT_SECONDS", 0.05)
    account = ApiClients.of(service).register_account()
    for path in (f"{account.path}/sub-users", account.path, f"{account.path}/audit-log"):
        response = account.portal.get(path)
        require_problem(response, 503, "projection-behind")
        assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("position", ["-1", "one", "1.0", str(2**62), "9" * 19, "9" * 100, "", "\u00b2"])
def test_invalid_event_position_is_refused(account: Account, portal: ApiClient, position: str) -> None:
    for path in (f"{account.path}/sub-users", account.path, f"{account.path}/audit-log"):
        response = portal.get(path, headers={"Event-Position": position})
        require_problem(response, 422, "invalid-input", "Event-Position")


def test_list_filters_by_access_status(own_clients: ApiClients, clock: TravelingClock) -> None:
    """The status follows the clock, without an event."""
    account = own_clients.register_account()
    account.create_sub_user(name="Inactive")
    account.create_active(name="Invited")
    account.create_with_own_password(name="Active")
    ends_at = (clock() + timedelta(days=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
    account.create_with_own_password(name="Expiring", access_expires_at=ends_at)

    def with_status(status: str) -> list[str]:
        return names(own_clients.portal.get(f"{account.path}/sub-users?access_status={status}&sort=name"))

    assert with_status("active") == ["Active", "Expiring"]
    assert [with_status(status) for status in ("invited", "inactive", "expiring")] == [["Invited"], ["Inactive"], []]
    clock.advance(days=2)
    assert (with_status("active"), with_status("expiring")) == (["Active"], ["Expiring"])
    clock.advance(days=6)
    assert (with_status("active"), with_status("expired")) == (["Active"], ["Expiring"])
    assert own_clients.portal.get(f"{account.path}/sub-users?access_status=asleep").status_code == 422
