"""The API key of a request, and the challenges of 401 responses."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from application.commands.api_keys import Limits, Scope
from tests.api.clients import ApiClient, require_problem
from tests.api_keys import BY_OPERATOR

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClients


@pytest.mark.parametrize("scope", Scope)
def test_current_api_key_is_shown(clients: ApiClients, scope: Scope) -> None:
    """Every scope may read it. The secret is not in the response."""
    client: ApiClient = getattr(clients, scope)
    response = client.get("/v1/api-keys/current")
    body: Any = response.json
    secret = client.headers["Authorization"].removeprefix("Bearer ")
    key = clients.service.commands.api_keys.find(secret)
    assert key is not None
    assert body == {
        "api_key_id": str(key.api_key_id),
        "name": f"the {scope}'s key",
        "scope": scope,
        "expires_at": None,
        "allowed_addresses": None,
        "accounts": None,
    }
    assert secret not in response.text


def test_limits_of_the_current_api_key_are_shown(clients: ApiClients, account: Account) -> None:
    """A key for some accounts may read itself."""
    service = clients.service
    limits = Limits(
        expires_at=service.clock() + timedelta(days=1),
        allowed_addresses=(ip_network("127.0.0.0/8"),),
        accounts=frozenset({UUID(account.account_id)}),
    )
    secret = service.commands.api_keys.create(Scope.PORTAL, "limited", BY_OPERATOR, limits)
    body: Any = ApiClient.with_key(clients.app, secret).get("/v1/api-keys/current").json
    assert (body["allowed_addresses"], body["accounts"]) == (["127.0.0.0/8"], [account.account_id])
    assert body["expires_at"].endswith("Z")


def test_each_kind_of_401_has_its_own_challenge(clients: ApiClients, account: Account) -> None:
    """A client can tell a dead API key from a wrong password and from an ended session by the header alone."""
    sub_user = account.create_with_own_password()
    login = {"account_email": account.email, "email": sub_user.email, "password": "not their password"}
    wrong_password = clients.portal.post("/v1/sessions", json=login)
    ended = clients.portal.delete("/v1/sessions/current", headers={"Session-Token": uuid4().hex})
    dead_key = ApiClient.with_key(clients.app, "subusers_portal_revoked").post("/v1/sessions", json=login)
    metrics = clients.anonymous.get("/metrics")
    for response, code, challenge in (
        (wrong_password, "login-refused", 'Password realm="subusers", error="login_refused"'),
        (ended, "session-ended", 'Session realm="subusers", error="session_ended"'),
        (dead_key, "unknown-api-key", 'Bearer realm="subusers", error="invalid_token"'),
        (metrics, "unknown-metrics-token", 'Bearer realm="subusers metrics", error="invalid_token"'),
    ):
        require_problem(response, 401, code)
        assert response.headers["WWW-Authenticate"] == challenge
