"""Links by which the portal lets an account's owner in to the console; what owners' sessions are not good for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from application.new_session import token_hash
from application.origin import Origin
from domain.cause import ActorType
from domain.refusals import LoginRefused
from tests.api.callers import OWN, is_active, require_problem

if TYPE_CHECKING:
    from tests.api.callers import Account, Caller, Doors

BROWSER = Origin(ActorType.MAIN_ACCOUNT, ip="192.0.2.1")
PREFIX = "https://portal.example/console/link/"


def link_to(account: Account) -> Any:
    answer = account.portal.post(f"{account.path}/console-links")
    assert answer.status_code == 201, answer.text
    return answer.json


def owners_token(doors: Doors, account: Account) -> str:
    """Follow a link, and return the token of the session that it opened."""
    secret = link_to(account)["url"].removeprefix(PREFIX)
    return doors.service.owner_sessions.log_in_by_link(secret, BROWSER).value.token


def test_a_link_leads_to_the_console_and_says_until_when(doors: Doors, account: Account) -> None:
    """A minute, and no position: nothing has happened as yet."""
    answer = account.portal.post(f"{account.path}/console-links")

    body: Any = answer.json
    assert (answer.status_code, set(body)) == (201, {"url", "expires_at"})
    assert body["url"].startswith(PREFIX)
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    assert "Event-Position" not in answer.headers
    assert len(account.rows()) == 1


def test_a_link_opens_one_session_of_the_owner_s(doors: Doors, account: Account) -> None:
    """And the audit log tells that it was by a link."""
    secret = link_to(account)["url"].removeprefix(PREFIX)

    opened = doors.service.owner_sessions.log_in_by_link(secret, BROWSER).value

    assert str(opened.account_id) == account.account_id
    row = account.rows()[0]
    assert (row["action"], row["details"]["via"]) == ("main_account.logged_in", "link")
    with pytest.raises(LoginRefused):
        doors.service.owner_sessions.log_in_by_link(secret, BROWSER)


def test_an_idempotency_key_makes_no_difference(account: Account) -> None:
    """An answer that carries a secret is never kept: each is another."""
    headers = {"Idempotency-Key": "one"}
    answers = [account.portal.post(f"{account.path}/console-links", headers=headers) for _ in range(2)]

    assert len({answer.json["url"] for answer in answers}) == 2  # type: ignore[index]


def test_a_closed_account_gets_no_link(account: Account, portal: Caller) -> None:
    """A conflict, as for any other command."""
    portal.delete(account.path)

    require_problem(portal.post(f"{account.path}/console-links"), 409, "account-closed")


def test_the_log_has_the_request_and_not_the_link(doors: Doors, account: Account) -> None:
    """Routes are logged, and no path: following a link leaves no trace of its secret either."""
    with capture_logs() as lines:
        secret = link_to(account)["url"].removeprefix(PREFIX)
        doors.stranger.get(f"/console/link/{secret}")
        doors.stranger.get(f"/v1/console/link/{secret}")

    assert len(lines) >= 3
    assert secret not in str(lines)
    assert secret not in doors.stranger.get("/metrics").text


def test_an_owner_s_token_is_no_sub_user_s(doors: Doors, account: Account, portal: Caller) -> None:
    """The routes of sessions are for sub-users: to them an owner's session is none."""
    token = owners_token(doors, account)
    headers = {"Session-Token": token}

    asked: Any = portal.post("/v1/sessions/introspect", json={"token": token, "permission": "assistants"}).json
    assert asked == {"active": False, "allowed": False}
    body = {"current_password": OWN, "new_password": "another password of my own"}
    require_problem(portal.put("/v1/sessions/current/password", json=body, headers=headers), 401, "session-ended")
    require_problem(portal.delete("/v1/sessions/current", headers=headers), 401, "session-ended")
    assert not is_active(portal, token)
    assert str(doors.service.owner_sessions.current(token).account_id) == account.account_id


def test_an_owner_s_sessions_are_in_no_list_of_sub_users_sessions(doors: Doors, account: Account) -> None:
    """The owner is no sub-user of their own account."""
    owners_token(doors, account)

    answer = account.portal.get(f"{account.path}/sub-users/{account.account_id}/sessions")
    require_problem(answer, 404, "sub-user-not-found")


def test_a_password_set_by_the_portal_ends_the_owner_s_sessions(doors: Doors, account: Account) -> None:
    """And logs the owner in from then on."""
    token = owners_token(doors, account)
    assert account.portal.patch(account.path, json={"password": OWN}).status_code == 200

    assert doors.service.open_sessions.find(token_hash(token), doors.service.clock()) is None
    assert doors.service.owner_sessions.log_in(account.email, OWN, BROWSER).value.token
