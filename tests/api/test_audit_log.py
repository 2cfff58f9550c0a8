"""Audit log in pages: the fields of an entry, filters, cursors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.clients import require_problem

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClient, ApiClients, SubUser

ENTRY_FIELDS = {
    *("position", "occurred_at", "recorded_at", "action", "actor", "sub_user_id", "target", "ip", "user_agent"),
    *("reason", "details"),
}
DAYS = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]


@pytest.fixture(scope="module")
def history(clients: ApiClients) -> tuple[Account, SubUser, SubUser]:
    """Return an account with two sub-users; the first has activities on three days of 2026."""
    account = clients.register_account()
    sub_user, other_sub_user = account.create_sub_user(), account.create_sub_user(name="Ada")
    activities = [{"sub_user_id": sub_user.sub_user_id, "action": "tool.used", "occurred_at": day} for day in DAYS]
    activities.append({"sub_user_id": other_sub_user.sub_user_id, "action": "tool.used"})
    assert clients.portal.post(f"{account.path}/activities", json={"activities": activities}).status_code == 201
    sub_user.change(status="active")
    return account, sub_user, other_sub_user


def actions(rows: list[dict[str, Any]]) -> list[str]:
    return [row["action"] for row in rows]


def test_audit_log_is_a_page_of_entries_newest_first(history: tuple[Account, SubUser, SubUser]) -> None:
    """Each entry has exactly the documented fields, and positions decrease."""
    account, _, _ = history
    response = account.portal.get(f"{account.path}/audit-log")
    body: Any = response.json
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.headers["Cache-Control"] == "no-store"
    assert set(body) == {"items", "next_cursor"}
    assert body["next_cursor"] is None
    assert all(set(row) == ENTRY_FIELDS for row in body["items"])
    assert all(set(row["actor"]) == {"type", "id", "name", "api_key_id", "person"} for row in body["items"])
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
def test_filter_by_action_and_time(
    history: tuple[Account, SubUser, SubUser], query: dict[str, str], expected: list[str]
) -> None:
    """`since` is inclusive, `until` exclusive; both apply to the time of occurrence."""
    account, _, _ = history
    assert actions(account.audit_log_rows(**query)) == expected


@pytest.mark.parametrize(
    "wanted",
    [
        ["sub_user.created", "main_account.registered"],
        ["sub_user.created", "sub_user.created"],
        ["tool.used", "sub_user.activated", "nothing.of.the.kind"],
    ],
)
def test_filter_by_several_actions(history: tuple[Account, SubUser, SubUser], wanted: list[str]) -> None:
    """In pages, too: a cursor belongs to one list of actions."""
    account, _, _ = history
    expected = [action for action in actions(account.audit_log_rows()) if action in wanted]
    assert actions(account.audit_log_rows(action=wanted)) == expected
    first: Any = account.portal.get(f"{account.path}/audit-log", query_string={"action": wanted, "limit": 1}).json
    query = {"action": wanted, "limit": 100, "cursor": first["next_cursor"]}
    rest: Any = account.portal.get(f"{account.path}/audit-log", query_string=query).json
    assert actions([*first["items"], *rest["items"]]) == expected
    others = account.portal.get(f"{account.path}/audit-log", query_string={**query, "action": wanted[:1]})
    require_problem(others, 422, "invalid-input", "cursor")


@pytest.mark.parametrize(
    ("action", "hint"),
    [
        ("sub_user.delted", "did you mean sub_user.deleted?"),
        ("main_account.login", "did you mean main_account.log"),
        ("audit_log.", "is not an action of the service"),
        ("api_key.zzzzzzzzzzzz", "is not an action of the service"),
    ],
)
def test_unknown_action_of_the_service_is_refused(account: Account, action: str, hint: str) -> None:
    """An empty list would hide the mistake. Other words may be actions of the portal."""
    for query in ({"action": action}, {"action": ["tool.used", action]}):
        response = account.portal.get(f"{account.path}/audit-log", query_string=query)
        problem = require_problem(response, 422, "invalid-input", "action")
        assert hint in str(problem)


def test_too_many_and_invalid_actions_are_refused(account: Account) -> None:
    for wanted in ([f"tool.{number}" for number in range(51)], ["tool.used", ""], ["x" * 65]):
        response = account.portal.get(f"{account.path}/audit-log", query_string={"action": wanted})
        require_problem(response, 422, "invalid-input", "action")


def test_filter_by_actor(clients: ApiClients, account: Account) -> None:
    """By type and by id, with other filters. The actor of an activity is the sub-user."""
    sub_user = account.create_with_own_password()
    other = account.create_sub_user()
    report = {"activities": [{"sub_user_id": sub_user.sub_user_id, "action": "tool.used"}]}
    assert account.portal.post(f"{account.path}/activities", json=report).status_code < 300
    clients.auditor.get(f"{account.path}/audit-log")
    rows = account.audit_log_rows()
    for actor_type, actor_id in {(row["actor"]["type"], row["actor"]["id"]) for row in rows}:
        assert account.audit_log_rows(actor_type=actor_type) == [
            row for row in rows if row["actor"]["type"] == actor_type
        ]
        if actor_id is not None:
            assert account.audit_log_rows(actor_id=actor_id) == [row for row in rows if row["actor"]["id"] == actor_id]
    assert {row["actor"]["type"] for row in rows} >= {"main_account", "sub_user", "auditor"}
    own = account.audit_log_rows(actor_id=sub_user.sub_user_id, action=["tool.used", "sub_user.logged_in"])
    assert {row["action"] for row in own} == {"tool.used", "sub_user.logged_in"}
    assert account.audit_log_rows(actor_id=other.sub_user_id) == []
    assert account.audit_log_rows(actor_type="support") == []
    first: Any = account.portal.get(f"{account.path}/audit-log?actor_type=main_account&limit=2").json
    query = {"actor_type": "main_account", "limit": 200, "cursor": first["next_cursor"]}
    rest: Any = account.portal.get(f"{account.path}/audit-log", query_string=query).json
    assert [*first["items"], *rest["items"]] == account.audit_log_rows(actor_type="main_account")
    response = account.portal.get(f"{account.path}/audit-log?actor_type=nobody")
    require_problem(response, 422, "invalid-input", "actor_type")


def test_filter_by_sub_user(history: tuple[Account, SubUser, SubUser]) -> None:
    """The result has their own actions and those on them; the filter combines with others."""
    account, sub_user, other_sub_user = history
    assert actions(account.audit_log_rows(sub_user_id=sub_user.sub_user_id)) == [
        "sub_user.activated",
        *["tool.used"] * 3,
        "sub_user.created",
    ]
    assert actions(account.audit_log_rows(sub_user_id=other_sub_user.sub_user_id, action="tool.used")) == ["tool.used"]
    assert account.audit_log_rows(sub_user_id=str(uuid4())) == []


def test_filter_by_a_sub_user_of_another_account_is_empty(
    history: tuple[Account, SubUser, SubUser], account: Account
) -> None:
    _, sub_user, _ = history
    assert account.audit_log_rows(sub_user_id=sub_user.sub_user_id) == []


@pytest.mark.parametrize("query", [{}, {"action": "tool.used"}, {"since": DAYS[0]}])
@pytest.mark.parametrize("limit", [1, 3])
def test_pages_together_are_the_whole_log(
    history: tuple[Account, SubUser, SubUser], limit: int, query: dict[str, str]
) -> None:
    """Following `next_cursor` returns each entry once, in the same order."""
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
    assert rows == account.audit_log_rows(**query)


def test_cursor_is_bound_to_its_log_filters_and_key(
    history: tuple[Account, SubUser, SubUser], clients: ApiClients, account: Account
) -> None:
    """A cursor that was tampered with is refused too."""
    long_account, sub_user, _ = history
    page: Any = clients.auditor.get(f"{long_account.path}/audit-log?limit=1").json
    cursor = page["next_cursor"]
    assert clients.auditor.get(f"{long_account.path}/audit-log?cursor={cursor}").status_code == 200
    require_problem(
        long_account.portal.get(f"{long_account.path}/audit-log?cursor={cursor}"), 422, "invalid-input", "cursor"
    )
    for path, query in (
        (account.path, {"cursor": cursor}),
        (long_account.path, {"cursor": cursor, "action": "tool.used"}),
        (long_account.path, {"cursor": cursor, "sub_user_id": sub_user.sub_user_id}),
        (long_account.path, {"cursor": cursor, "since": DAYS[0]}),
        (long_account.path, {"cursor": cursor, "until": DAYS[0]}),
        (long_account.path, {"cursor": cursor[:-1]}),
        (long_account.path, {"cursor": f"{cursor}A"}),
        (long_account.path, {"cursor": "nonsense"}),
    ):
        response = clients.auditor.get(f"{path}/audit-log", query_string=query)
        require_problem(response, 422, "invalid-input", "cursor")


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
def test_invalid_query_is_refused(account: Account, portal: ApiClient, query: dict[str, str]) -> None:
    """Every format refuses it, and the problem names the parameter."""
    for media_type in ("application/json", "text/csv", "application/x-ndjson"):
        response = portal.get(f"{account.path}/audit-log", query_string=query, headers={"Accept": media_type})
        require_problem(response, 422, "invalid-input", *query)


def test_log_of_an_unknown_account_is_not_found(clients: ApiClients) -> None:
    """Every format returns 404. The stream of an activity is not an account either."""
    account = clients.register_account()
    body = {"activities": [{"sub_user_id": account.create_sub_user().sub_user_id, "action": "tool.used"}]}
    clients.portal.post(f"{account.path}/activities", json=body)
    with clients.service.database.get_connection() as connection:
        row = connection.execute(
            "SELECT originator_id FROM stored_events WHERE topic = 'SubUserActivityRecorded' LIMIT 1"
        ).fetchone()
    assert row is not None
    for account_id in (uuid4(), row["originator_id"]):
        for media_type in ("application/json", "text/csv", "application/x-ndjson"):
            response = clients.auditor.get(f"/v1/accounts/{account_id}/audit-log", headers={"Accept": media_type})
            require_problem(response, 404, "account-not-found")
