"""Links with which the portal signs an account's owner in to the console, and the limits of owner sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from application.command_context import CommandContext
from application.sign_in.new_session import token_hash
from domain.event_metadata import ActorType
from domain.refusals import LoginRefused
from tests.api.clients import OWN_PASSWORD, is_session_active, require_problem

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClient, ApiClients

CONTEXT = CommandContext(ActorType.MAIN_ACCOUNT, ip="192.0.2.1")
LINK_PREFIX = "https://portal.example/console/link/"


def create_link(account: Account) -> Any:
    response = account.portal.post(f"{account.path}/console-links")
    assert response.status_code == 201, response.text
    return response.json


def log_in_owner(clients: ApiClients, account: Account) -> str:
    """Log in with a new link, and return the session token."""
    secret = create_link(account)["url"].removeprefix(LINK_PREFIX)
    return clients.service.commands.owner_sessions.log_in_by_link(secret, CONTEXT).value.token


def test_link_is_valid_for_a_minute(clients: ApiClients, account: Account) -> None:
    """Creating it records no event."""
    response = account.portal.post(f"{account.path}/console-links")

    body: Any = response.json
    assert (response.status_code, set(body)) == (201, {"url", "expires_at"})
    assert body["url"].startswith(LINK_PREFIX)
    remaining = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=50) < remaining < timedelta(seconds=61)  # tolerates a clock adjustment during the test
    assert "Event-Position" not in response.headers
    assert len(account.audit_log_rows()) == 1


def test_link_opens_one_session(clients: ApiClients, account: Account) -> None:
    """The audit log shows that the login was by link."""
    secret = create_link(account)["url"].removeprefix(LINK_PREFIX)

    session = clients.service.commands.owner_sessions.log_in_by_link(secret, CONTEXT).value

    assert str(session.account_id) == account.account_id
    row = account.audit_log_rows()[0]
    assert (row["action"], row["details"]["via"]) == ("main_account.logged_in", "link")
    with pytest.raises(LoginRefused):
        clients.service.commands.owner_sessions.log_in_by_link(secret, CONTEXT)


def test_idempotency_key_has_no_effect(account: Account) -> None:
    """A response that carries a secret is not stored, so each link is a new one."""
    headers = {"Idempotency-Key": "one"}
    responses = [account.portal.post(f"{account.path}/console-links", headers=headers) for _ in range(2)]

    assert len({response.json["url"] for response in responses}) == 2  # type: ignore[index]


def test_closed_account_gets_no_link(account: Account, portal: ApiClient) -> None:
    portal.delete(account.path)

    require_problem(portal.post(f"{account.path}/console-links"), 409, "account-closed")


def test_link_secret_is_not_logged(clients: ApiClients, account: Account) -> None:
    """The log names routes, not paths; the metrics do not contain the secret either."""
    with capture_logs() as lines:
        secret = create_link(account)["url"].removeprefix(LINK_PREFIX)
        clients.anonymous.get(f"/console/link/{secret}")
        clients.anonymous.get(f"/v1/console/link/{secret}")

    assert len(lines) >= 3
    assert secret not in str(lines)
    assert secret not in clients.prometheus.get("/metrics").text


def test_owner_token_is_not_a_sub_user_token(clients: ApiClients, account: Account, portal: ApiClient) -> None:
    """The session routes are for sub-users, and treat an owner's token as unknown."""
    token = log_in_owner(clients, account)
    headers = {"Session-Token": token}

    introspection: Any = portal.post("/v1/sessions/introspect", json={"token": token, "permission": "assistants"}).json
    assert introspection == {"active": False, "allowed": False}
    body = {"current_password": OWN_PASSWORD, "new_password": "another password of my own"}
    require_problem(portal.put("/v1/sessions/current/password", json=body, headers=headers), 401, "session-ended")
    require_problem(portal.delete("/v1/sessions/current", headers=headers), 401, "session-ended")
    assert not is_session_active(portal, token)
    assert str(clients.service.commands.owner_sessions.current(token).account_id) == account.account_id


def test_owner_sessions_are_not_listed_with_sub_user_sessions(clients: ApiClients, account: Account) -> None:
    log_in_owner(clients, account)

    response = account.portal.get(f"{account.path}/sub-users/{account.account_id}/sessions")
    require_problem(response, 404, "sub-user-not-found")


def test_owner_password_set_by_the_portal_ends_owner_sessions(clients: ApiClients, account: Account) -> None:
    """The owner can log in with the new password."""
    token = log_in_owner(clients, account)
    assert account.portal.patch(account.path, json={"password": OWN_PASSWORD}).status_code == 200

    assert clients.service.queries.sessions.find(token_hash(token), clients.service.clock()) is None
    assert clients.service.commands.owner_sessions.log_in(account.email, OWN_PASSWORD, CONTEXT).value.token
