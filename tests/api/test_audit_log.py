"""The audit log as pages: what a row is, filters, cursors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.callers import require_problem

if TYPE_CHECKING:
    from tests.api.callers import Account, Caller, Doors, SubUser

ROW = {
    *("position", "occurred_at", "recorded_at", "action", "actor", "sub_user_id", "target", "ip", "user_agent"),
    *("reason", "details"),
}
DAYS = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]


@pytest.fixture(scope="module")
def history(doors: Doors) -> tuple[Account, SubUser, SubUser]:
    """Give an account with two sub-users and some activities, the first one's on three days of 2026."""
    account = doors.account()
    one, other = account.let_in(), account.let_in(name="Ada")
    activities = [{"sub_user_id": one.sub_user_id, "action": "tool.used", "occurred_at": day} for day in DAYS]
    activities.append({"sub_user_id": other.sub_user_id, "action": "tool.used"})
    assert doors.portal.post(f"{account.path}/activities", json={"activities": activities}).status_code == 201
    one.change(active=True)
    return account, one, other


def actions(rows: list[dict[str, Any]]) -> list[str]:
    return [row["action"] for row in rows]


def test_the_audit_log_is_a_page_of_rows_newest_first(history: tuple[Account, SubUser, SubUser]) -> None:
    """Each row has its fields and no others, and the positions go down."""
    account, _, _ = history
    answer = account.portal.get(f"{account.path}/audit-log")
    body: Any = answer.json
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(body) == {"items", "next_cursor"}
    assert body["next_cursor"] is None
    assert all(set(row) == ROW for row in body["items"])
    assert all(set(row["actor"]) == {"type", "id", "name"} for row in body["items"])
    assert actions(body["items"]) == [
        "sub_user.activated",
        *["tool.used"] * 4,
        *["sub_user.created"] * 2,
        "main_account.registered",
    ]
    positions = [row["position"] for row in body["items"]]
    assert positions == sorted(set(positions), reverse=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"action": "tool.used"}, ["tool.used"] * 4),
        ({"action": "sub_user.created"}, ["sub_user.created"] * 2),
        ({"action": "nothing.of.the.kind"}, []),
        ({"since": "2027-01-01T00:00:00Z", "until": "2027-01-02T00:00:00Z"}, []),
        ({"since": DAYS[0], "until": DAYS[2]}, ["tool.used"] * 2),
        ({"since": DAYS[1], "until": "2026-03-01T00:00:00.000001Z"}, ["tool.used"] * 2),
        ({"until": "2026-01-01T01:00:00+01:00"}, []),
        ({"since": DAYS[0], "until": DAYS[2], "action": "sub_user.created"}, []),
        ({"since": "9999-12-31T23:59:59Z"}, []),
        ({"until": "0001-01-01T00:00:00Z"}, []),
    ],
)
def test_the_audit_log_can_be_narrowed(
    history: tuple[Account, SubUser, SubUser], query: dict[str, str], expected: list[str]
) -> None:
    """By action and by when it occurred: `since` is included, `until` is not."""
    account, _, _ = history
    assert actions(account.rows(**query)) == expected


def test_the_audit_log_of_one_sub_user(history: tuple[Account, SubUser, SubUser]) -> None:
    """What they did and what was done to them, also together with other filters."""
    account, one, other = history
    assert actions(account.rows(sub_user_id=one.sub_user_id)) == [
        "sub_user.activated",
        *["tool.used"] * 3,
        "sub_user.created",
    ]
    assert actions(account.rows(sub_user_id=other.sub_user_id, action="tool.used")) == ["tool.used"]
    assert account.rows(sub_user_id=str(uuid4())) == []


def test_another_account_s_sub_user_has_no_rows_here(
    history: tuple[Account, SubUser, SubUser], account: Account
) -> None:
    """Asking for them in one's own log shows nothing of them."""
    _, one, _ = history
    assert account.rows(sub_user_id=one.sub_user_id) == []


@pytest.mark.parametrize("query", [{}, {"action": "tool.used"}, {"since": DAYS[0]}])
@pytest.mark.parametrize("limit", [1, 3])
def test_pages_are_the_log_in_pieces(
    history: tuple[Account, SubUser, SubUser], limit: int, query: dict[str, str]
) -> None:
    """Following `next_cursor` gives each row once, in the order of the whole."""
    account, _, _ = history
    rows: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page: Any = account.portal.get(
            f"{account.path}/audit-log", query_string={"limit": limit, **query, **cursor}
        ).json
        rows += page["items"]
        if page["next_cursor"] is None:
            break
        assert len(page["items"]) == limit
        cursor = {"cursor": page["next_cursor"]}
    assert rows == account.rows(**query)


def test_a_cursor_is_good_for_its_own_log_alone(
    history: tuple[Account, SubUser, SubUser], doors: Doors, account: Account
) -> None:
    """Refused with another account's log, with another filter, and when tampered with; any key may carry it on."""
    long, one, _ = history
    page: Any = long.portal.get(f"{long.path}/audit-log?limit=1").json
    cursor = page["next_cursor"]
    assert doors.auditor.get(f"{long.path}/audit-log?cursor={cursor}").status_code == 200
    for path, query in (
        (account.path, {"cursor": cursor}),
        (long.path, {"cursor": cursor, "action": "tool.used"}),
        (long.path, {"cursor": cursor, "sub_user_id": one.sub_user_id}),
        (long.path, {"cursor": cursor, "since": DAYS[0]}),
        (long.path, {"cursor": cursor, "until": DAYS[0]}),
        (long.path, {"cursor": cursor[:-1]}),
        (long.path, {"cursor": f"{cursor}A"}),
        (long.path, {"cursor": "nonsense"}),
    ):
        answer = long.portal.get(f"{path}/audit-log", query_string=query)
        require_problem(answer, 422, "invalid-input", "cursor")


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "9" * 5000},
        {"sub_user_id": "42"},
        {"action": ""},
        {"action": "x" * 65},
        {"action": "a\0b"},
        {"since": "yesterday"},
        {"since": "2026-05-01T00:00:00"},
        {"until": "2026-W01-1T00:00:00Z"},
        {"until": ""},
        {"actor": "somebody"},
        {"page": "2"},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(account: Account, portal: Caller, query: dict[str, str]) -> None:
    """In every form of the log, and what is wrong with it is named."""
    for kind in ("application/json", "text/csv", "application/x-ndjson"):
        answer = portal.get(f"{account.path}/audit-log", query_string=query, headers={"Accept": kind})
        require_problem(answer, 422, "invalid-input", *query)


def test_the_log_of_an_account_that_nobody_registered_is_not_found(doors: Doors) -> None:
    """404 in every form, and for every scope; so is that of an activity, whose stream is no account."""
    account = doors.account()
    body = {"activities": [{"sub_user_id": account.let_in().sub_user_id, "action": "tool.used"}]}
    doors.portal.post(f"{account.path}/activities", json=body)
    with doors.service.database.get_connection() as connection:
        row = connection.execute(
            "SELECT originator_id FROM stored_events WHERE topic = 'SubUserActivityRecorded' LIMIT 1"
        ).fetchone()
    assert row is not None
    for unknown in (uuid4(), row["originator_id"]):
        for kind in ("application/json", "text/csv", "application/x-ndjson"):
            answer = doors.auditor.get(f"/v1/accounts/{unknown}/audit-log", headers={"Accept": kind})
            require_problem(answer, 404, "account-not-found")
