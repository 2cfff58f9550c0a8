"""The list of an account's sub-users: filters, orders, pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.callers import Doors, require_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap import Service
    from tests.api.callers import Account, Caller

PEOPLE: list[dict[str, Any]] = [
    {"name": "Ada", "surname": "Lovelace", "email": "ada@engines.example", "visible": True},
    {"name": "alan", "surname": "Turing", "email": "Alan@bletchley.example", "visible": False},
    {"name": "Grace", "surname": "hopper", "email": "grace@navy.example", "visible": True},
    {"name": "Barbara", "surname": "Liskov", "email": "liskov@clu.example", "visible": False},
    {"name": "Édith", "surname": "Clarke", "email": "edith@grid.example", "visible": True},
]
SORTS = ["created_at", "name", "surname", "email", "status", "last_login_at"]


@pytest.fixture(scope="module")
def staff(doors: Doors) -> Account:
    """Give an account with five sub-users: Ada and Alan are active, and both have logged in, Ada last."""
    account = doors.account()
    everybody = [account.let_in(**details) for details in PEOPLE]
    for one in everybody[:2]:
        one.change(active=True)
    everybody[1].token()
    everybody[0].token()
    return account


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    assert set(answer.json) == {"items", "next_cursor"}
    return [one["name"] for one in answer.json["items"]]


def pages(portal: Caller, path: str, **query: Any) -> Iterator[list[dict[str, Any]]]:
    cursor = None
    while True:
        body: Any = portal.get(path, query_string={**query, **({"cursor": cursor} if cursor else {})}).json
        yield body["items"]
        cursor = body["next_cursor"]
        if cursor is None:
            return


def test_a_list_has_everybody_in_the_order_of_their_coming(staff: Account, portal: Caller) -> None:
    """Without parameters: all of them, hidden ones marked, each as a read of them alone shows them."""
    answer = portal.get(f"{staff.path}/sub-users")
    assert names(answer) == ["Ada", "alan", "Grace", "Barbara", "Édith"]
    items: Any = answer.json["items"]  # type: ignore[index]
    assert [one["visible"] for one in items] == [True, False, True, False, True]
    assert items == [portal.get(f"{staff.path}/sub-users/{one['sub_user_id']}").json for one in items]


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
def test_a_list_can_be_narrowed(staff: Account, portal: Caller, query: dict[str, str], expected: list[str]) -> None:
    """By status, by visibility, by a part of the name or e-mail taken literally, and by all of them together."""
    assert names(portal.get(f"{staff.path}/sub-users", query_string=query)) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("created_at", ["Ada", "alan", "Grace", "Barbara", "Édith"]),
        ("name", ["Ada", "alan", "Barbara", "Grace", "Édith"]),
        ("surname", ["Édith", "Grace", "Barbara", "Ada", "alan"]),
        ("email", ["Ada", "alan", "Édith", "Grace", "Barbara"]),
    ],
)
def test_a_list_can_be_ordered(staff: Account, portal: Caller, sort: str, expected: list[str]) -> None:
    """By when they came, by name, by surname, by e-mail, capitals or not; a minus reverses.

    Where É stands depends on the database's collation.
    """
    shown = names(portal.get(f"{staff.path}/sub-users", query_string={"sort": sort}))
    assert [name for name in shown if name != "Édith"] == [name for name in expected if name != "Édith"]
    assert names(portal.get(f"{staff.path}/sub-users", query_string={"sort": f"-{sort}"})) == shown[::-1]


def test_a_list_can_be_ordered_by_status_and_last_login(staff: Account, portal: Caller) -> None:
    """The active come first; who never logged in comes before who did, who did last comes last."""
    by_status = names(portal.get(f"{staff.path}/sub-users", query_string={"sort": "status"}))
    assert set(by_status[:2]) == {"Ada", "alan"}
    by_login = names(portal.get(f"{staff.path}/sub-users", query_string={"sort": "last_login_at"}))
    assert by_login[3:] == ["alan", "Ada"]
    latest_first = names(portal.get(f"{staff.path}/sub-users", query_string={"sort": "-last_login_at"}))
    assert latest_first == by_login[::-1]


@pytest.mark.parametrize("sort", [f"{minus}{sort}" for sort in SORTS for minus in ("", "-")])
@pytest.mark.parametrize("limit", [1, 2, 4])
def test_pages_are_the_list_in_pieces(staff: Account, portal: Caller, sort: str, limit: int) -> None:
    """In every order, following `next_cursor` gives each sub-user once, in the order of the whole list."""
    path = f"{staff.path}/sub-users"
    whole: Any = portal.get(path, query_string={"sort": sort}).json
    pieces = list(pages(portal, path, sort=sort, limit=limit))
    assert [one for piece in pieces for one in piece] == whole["items"]
    assert [len(piece) for piece in pieces[:-1]] == [limit] * (len(pieces) - 1)
    assert len(pieces[-1]) > 0


def test_pages_keep_their_place_while_people_come_and_go(account: Account, portal: Caller) -> None:
    """Between two pages somebody is deleted and somebody added: nobody is left out, nobody shown twice."""
    everybody = [account.let_in(name=f"Person {number}") for number in range(4)]
    first: Any = portal.get(f"{account.path}/sub-users?limit=2").json
    portal.delete(everybody[1].path)
    account.let_in(name="Latecomer")
    rest: Any = portal.get(f"{account.path}/sub-users?limit=9&cursor={first['next_cursor']}").json
    assert [one["name"] for one in rest["items"]] == ["Person 2", "Person 3", "Latecomer"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("limit", ["0", "-1", "201", "9" * 30, "ten", "1.5", "", "1e2", "0x10", "\0"])
def test_a_page_has_between_1_and_200(staff: Account, portal: Caller, limit: str) -> None:
    """Any other limit is refused, and named."""
    answer = portal.get(f"{staff.path}/sub-users", query_string={"limit": limit})
    require_problem(answer, 422, "invalid-input", "limit")


def test_the_largest_page_is_allowed(staff: Account, portal: Caller) -> None:
    """200."""
    assert len(names(portal.get(f"{staff.path}/sub-users?limit=200"))) == 5


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
def test_a_query_that_makes_no_sense_is_refused(staff: Account, portal: Caller, query: dict[str, str]) -> None:
    """An unknown value or an unknown parameter: a misspelled filter must not pass for none."""
    answer = portal.get(f"{staff.path}/sub-users", query_string=query)
    require_problem(answer, 422, "invalid-input", *query)


def cursor_of(portal: Caller, account: Account, **query: Any) -> str:
    answer: Any = portal.get(f"{account.path}/sub-users", query_string={"limit": 1, **query}).json
    cursor: str = answer["next_cursor"]
    return cursor


def test_a_cursor_is_good_for_its_own_list_alone(
    staff: Account, doors: Doors, account: Account, portal: Caller
) -> None:
    """Refused with another account's, another filter's, another order's, and the audit log's."""
    cursor = cursor_of(portal, staff)
    account.let_in()
    for path, query in (
        (f"{account.path}/sub-users", {}),
        (f"{staff.path}/sub-users", {"status": "active"}),
        (f"{staff.path}/sub-users", {"visibility": "visible"}),
        (f"{staff.path}/sub-users", {"q": "a"}),
        (f"{staff.path}/sub-users", {"sort": "name"}),
        (f"{staff.path}/sub-users", {"sort": "-created_at"}),
        (f"{staff.path}/audit-log", {}),
    ):
        answer = portal.get(path, query_string={**query, "cursor": cursor})
        require_problem(answer, 422, "invalid-input", "cursor")
    of_log: Any = portal.get(f"{staff.path}/audit-log?limit=1").json
    answer = portal.get(f"{staff.path}/sub-users", query_string={"cursor": of_log["next_cursor"]})
    require_problem(answer, 422, "invalid-input", "cursor")


def test_a_cursor_may_be_used_with_another_limit_and_again(staff: Account, portal: Caller) -> None:
    """How many to show is no part of the place where a page ended."""
    cursor = cursor_of(portal, staff)
    for _ in range(2):
        answer = portal.get(f"{staff.path}/sub-users", query_string={"cursor": cursor, "limit": 3})
        assert names(answer) == ["alan", "Grace", "Barbara"]


def test_a_cursor_that_was_tampered_with_is_refused(staff: Account, portal: Caller) -> None:
    """Any one character changed, left out or added."""
    cursor = cursor_of(portal, staff, sort="name")
    other = {"A": "B"}
    forged = [cursor[:at] + other.get(cursor[at], "A") + cursor[at + 1 :] for at in range(0, len(cursor) - 1, 3)]
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
        answer = portal.get(f"{staff.path}/sub-users", query_string={"sort": "name", "cursor": text})
        require_problem(answer, 422, "invalid-input", "cursor")


def test_a_read_demands_at_least_a_position(account: Account, portal: Caller) -> None:
    """With the `Event-Position` of an earlier answer, a read has what stands there."""
    one = account.let_in()
    headers = {"Event-Position": one.answer.headers["Event-Position"]}
    for path in (f"{account.path}/sub-users", one.path, account.path, f"{account.path}/audit-log"):
        assert portal.get(path, headers=headers).status_code == 200


def test_a_read_that_would_be_stale_is_put_off(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After, after a wait that is bounded, where no follower keeps the views up."""
    monkeypatch.setattr("projections.freshness.LONGEST_WAIT", 0.05)
    account = Doors.of(service).account()
    for path in (f"{account.path}/sub-users", account.path, f"{account.path}/audit-log"):
        answer = account.portal.get(path)
        require_problem(answer, 503, "view-behind")
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("position", ["-1", "one", "1.0", str(2**62), "9" * 19, "9" * 100, "", "\u00b2"])
def test_a_position_is_a_number_from_an_earlier_answer(account: Account, portal: Caller, position: str) -> None:
    """Anything else is refused, and named."""
    for path in (f"{account.path}/sub-users", account.path, f"{account.path}/audit-log"):
        answer = portal.get(path, headers={"Event-Position": position})
        require_problem(answer, 422, "invalid-input", "Event-Position")
