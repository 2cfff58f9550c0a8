"""Ending single sessions: by the owner for a sub-user, and by sub-users for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.clients import is_session_active, require_problem
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClient, ApiClients, SubUser

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def own_sessions(portal: ApiClient, token: str) -> list[dict[str, Any]]:
    """Return the rows of a person's own sessions."""
    response = portal.get("/v1/sessions", headers={"Session-Token": token})
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json["items"]  # type: ignore[index]
    return rows


def session_id_of(portal: ApiClient, token: str) -> str:
    return next(str(row["session_id"]) for row in own_sessions(portal, token) if row["current"])


@pytest.fixture
def sub_user(account: Account, portal: ApiClient) -> SubUser:
    """A sub-user without a session."""
    sub_user = account.create_with_own_password()
    portal.delete(f"{sub_user.path}/sessions")
    return sub_user


def test_own_sessions_mark_the_current_one(sub_user: SubUser, portal: ApiClient) -> None:
    """The rows are those that the owner sees, but for deprecated fields, with the browser and the device in words."""
    headers = {"X-Client-IP": "192.0.2.1", "X-Client-User-Agent": FIREFOX}
    first: Any = portal.post("/v1/sessions", json=sub_user.credentials, headers=headers).json
    second = sub_user.new_token()

    rows = own_sessions(portal, second)

    assert [row.pop("current") for row in rows] == [True, False]
    listed: Any = portal.get(f"{sub_user.path}/sessions").json
    assert [row["session_id"] for row in listed["items"]] == [row["session_id"] for row in rows]
    assert set(listed["items"][0]) - {"opened_at", "restricted"} == set(rows[0])
    assert (rows[1]["browser"], rows[1]["device"], rows[1]["user_agent"]) == ("Firefox", "Windows", FIREFOX)
    assert (rows[0]["browser"], rows[0]["device"], rows[0]["country"], rows[0]["city"]) == (None, None, None, None)
    assert {row["assurance_level"] for row in rows} == {"password"}
    assert session_id_of(portal, first["token"]) == rows[1]["session_id"]


def test_owner_ends_one_session(sub_user: SubUser, portal: ApiClient) -> None:
    """Other sessions continue. The audit log names the owner."""
    lost, kept = sub_user.new_token(), sub_user.new_token()
    session_id = session_id_of(portal, lost)

    response = portal.delete(f"{sub_user.path}/sessions/{session_id}")

    assert (response.status_code, response.data) == (204, b"")
    assert int(response.headers["Event-Position"]) > 0
    assert (is_session_active(portal, lost), is_session_active(portal, kept)) == (False, True)
    (row, *_) = sub_user.account.audit_log_rows()
    assert (row["action"], row["actor"]["type"], row["details"]["session_id"]) == (
        "sub_user.logged_out",
        "main_account",
        session_id,
    )
    require_problem(portal.delete(f"{sub_user.path}/sessions/{session_id}"), 404, "session-not-found")


def test_sub_user_ends_one_of_their_sessions(sub_user: SubUser, portal: ApiClient) -> None:
    lost, kept = sub_user.new_token(), sub_user.new_token()
    session_id = session_id_of(portal, lost)
    headers = {"Session-Token": kept}

    response = portal.delete(f"/v1/sessions/{session_id}", headers=headers)

    assert (response.status_code, response.data) == (204, b"")
    assert (is_session_active(portal, lost), is_session_active(portal, kept)) == (False, True)
    (row, *_) = sub_user.account.audit_log_rows()
    assert (row["action"], row["actor"]["type"]) == ("sub_user.logged_out", "sub_user")
    require_problem(portal.delete(f"/v1/sessions/{session_id}", headers=headers), 404, "session-not-found")
    own_id = session_id_of(portal, kept)
    assert portal.delete(f"/v1/sessions/{own_id}", headers=headers).status_code == 204
    require_problem(portal.delete(f"/v1/sessions/{own_id}", headers=headers), 401, "session-ended")


def test_sub_user_ends_all_other_sessions(sub_user: SubUser, portal: ApiClient) -> None:
    """One event for each. Without others, nothing is recorded."""
    others, kept = [sub_user.new_token() for _ in range(3)], sub_user.new_token()
    headers = {"Session-Token": kept}

    response = portal.delete("/v1/sessions/others", headers=headers)

    assert (response.status_code, response.data) == (204, b"")
    assert not any(is_session_active(portal, token) for token in others)
    assert is_session_active(portal, kept)
    actions = [row["action"] for row in sub_user.account.audit_log_rows()]
    assert actions[:3] == ["sub_user.logged_out"] * 3
    again = portal.delete("/v1/sessions/others", headers=headers)
    assert (again.status_code, "Event-Position" in again.headers) == (204, False)
    assert [row["action"] for row in sub_user.account.audit_log_rows()] == actions


def test_sessions_of_others_are_not_found(account: Account, clients: ApiClients, portal: ApiClient) -> None:
    """Those of another sub-user and of another account, under their own paths or in one's own name."""
    sub_user, coworker = account.create_with_own_password(), account.create_with_own_password()
    stranger = clients.register_account().create_with_own_password()
    headers = {"Session-Token": sub_user.new_token()}
    for other in (coworker, stranger):
        token = other.new_token()
        session_id = session_id_of(portal, token)
        unknown = f"{account.path}/sub-users/{stranger.sub_user_id}/sessions/{session_id}"
        require_problem(portal.delete(unknown), 404, "sub-user-not-found")
        require_problem(portal.delete(f"/v1/sessions/{session_id}", headers=headers), 404, "session-not-found")
        require_problem(portal.delete(f"{sub_user.path}/sessions/{session_id}"), 404, "session-not-found")
        assert is_session_active(portal, token)
    require_problem(portal.delete(f"/v1/sessions/{uuid4()}", headers=headers), 404, "session-not-found")


def test_temporary_password_does_not_show_or_end_sessions(account: Account, portal: ApiClient) -> None:
    sub_user = account.create_active()
    headers = {"Session-Token": sub_user.new_token()}
    requests = [("GET", "/v1/sessions"), ("DELETE", f"/v1/sessions/{uuid4()}"), ("DELETE", "/v1/sessions/others")]
    for method, path in requests:
        require_problem(portal.request(method, path, headers=headers), 403, "own-password-needed")
        require_problem(portal.request(method, path, headers={"Session-Token": "x"}), 401, "session-ended")
        require_problem(portal.request(method, path), 422, "invalid-input", "Session-Token")


def test_session_ends_once_under_concurrency(sub_user: SubUser, portal: ApiClient) -> None:
    """Of 64 parallel requests exactly one ends it and records an event."""
    lost, kept = sub_user.new_token(), sub_user.new_token()
    session_id = session_id_of(portal, lost)
    headers = {"Session-Token": kept}

    statuses = run_concurrently(
        [lambda: portal.delete(f"/v1/sessions/{session_id}", headers=headers).status_code] * 32
        + [lambda: portal.delete(f"{sub_user.path}/sessions/{session_id}").status_code] * 32
    )

    assert sorted(map(str, statuses)) == ["204"] + ["404"] * 63
    ended = [row for row in sub_user.account.audit_log_rows() if (row["details"] or {}).get("session_id") == session_id]
    assert [row["action"] for row in ended] == ["sub_user.logged_out", "sub_user.logged_in"]


def test_session_id_is_that_of_the_events(sub_user: SubUser, portal: ApiClient) -> None:
    token = sub_user.new_token()
    (row, *_) = sub_user.account.audit_log_rows()
    assert row["details"]["session_id"] == session_id_of(portal, token)
