"""Limits of an API key: expiry, allowed networks, and accounts."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from api.http.authentication import PREFIXES_WITHOUT_ACCOUNT
from application.commands.api_keys import Limits, Scope
from tests.api.clients import ApiClient, ApiClients, SubUser, is_session_active, require_problem
from tests.api.route_table import Route, routes
from tests.api_keys import BY_OPERATOR
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.conftest import TravelingClock

ROUTES_WITH_SCOPES = [route for route in routes() if route.scopes]
FOR_EVERY_KEY = {"GET /v1/api-keys/current", "GET /v1/permissions", "GET /v1/activity-types"}
"""Routes about the key itself, and about what all accounts have in common."""

ANSWERS_ABOUT_UNKNOWN_SUB_USERS = {
    "POST /access/v1/evaluation": {"decision": False, "context": {"missing": "access"}},
    "POST /access/v1/evaluations": {"evaluations": [{"decision": False, "context": {"missing": "access"}}] * 2},
    "POST /access/v1/search/resource": {
        "page": {"next_token": "", "count": 0},
        "context": {"all": False},
        "results": [],
    },
    "POST /access/v1/search/action": {"results": []},
}
"""AuthZEN responses about a sub-user whom the key must not know: those about one who does not exist."""


@pytest.fixture(scope="module")
def sub_user(clients: ApiClients) -> SubUser:
    """Return a sub-user whose account no test in this module changes."""
    return clients.register_account().create_with_own_password()


def client_with_limits(clients: ApiClients, scope: Scope = Scope.PORTAL, **limits: object) -> ApiClient:
    """Return a client with a new key that has these limits."""
    key = clients.service.commands.api_keys.create(scope, "a limited key", BY_OPERATOR, Limits(**limits))  # type: ignore[arg-type]
    return ApiClient.with_key(clients.app, key)


def test_expired_key_is_refused(own_clients: ApiClients, clock: TravelingClock) -> None:
    """The problem says that the key has expired."""
    account = own_clients.register_account()
    client = client_with_limits(own_clients, expires_at=clock() + timedelta(hours=1))
    assert client.get(account.path).status_code == 200
    clock.advance(hours=1)
    response = client.get(account.path)
    require_problem(response, 401, "api-key-expired")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="subusers", error="invalid_token"'


@pytest.mark.parametrize(
    ("network", "address", "accepted"),
    [
        ("192.0.2.0/24", "192.0.2.7", True),
        ("192.0.2.0/24", "::ffff:192.0.2.7", True),
        ("192.0.2.0/24", "192.0.3.7", False),
        ("192.0.2.0/24", "2001:db8::1", False),
        ("2001:db8::/32", "2001:db8::1", True),
    ],
)
def test_key_is_accepted_only_from_its_networks(
    clients: ApiClients, network: str, address: str, accepted: bool
) -> None:
    """The connection's address counts; headers that claim another address have no effect."""
    client = client_with_limits(clients, allowed_addresses=(ip_network(network),))
    environ = {"REMOTE_ADDR": address}
    headers = {"X-Client-IP": "192.0.2.7", "X-Forwarded-For": "192.0.2.7"}
    response = client.post("/v1/sessions/introspect", json={"token": "x"}, environ_overrides=environ, headers=headers)
    if accepted:
        assert response.status_code == 200
    else:
        require_problem(response, 403, "address-not-allowed")


@pytest.mark.parametrize("route", ROUTES_WITH_SCOPES, ids=str)
def test_key_of_one_account_has_no_access_to_others(clients: ApiClients, sub_user: SubUser, route: Route) -> None:
    """This holds for routes that name an account, that find it from other data, and that cover all accounts."""
    # Keys for analytics cannot be limited to accounts.
    for scope in (route.scopes or frozenset()) - {Scope.ANALYTICS}:
        client = client_with_limits(clients, scope, accounts=frozenset({uuid4()}))
        path = route.path(account_id=sub_user.account.account_id, sub_user_id=sub_user.sub_user_id)
        webhook_path = None
        if "webhook_id" in route.parameters:
            body = {"url": "https://receiver.example/", "account_id": sub_user.account.account_id}
            webhook_path = clients.portal.post("/v1/webhooks", json=body).headers["Location"]
            path = route.path(webhook_id=webhook_path.rpartition("/")[2])
        token = sub_user.new_token()
        request = route.body_about(sub_user.sub_user_id)
        if route.rule == "/v1/sessions/introspect":
            assert not is_session_active(client, token)
            continue
        if route.rule == "/oauth2/introspect":
            assert client.post(path, data={"token": token}).json == {"active": False}
            continue
        if str(route) == "POST /v1/sessions/passkey-challenges":  # a challenge is for nobody in particular
            assert client.post(path).status_code == 201
            continue
        if str(route) in FOR_EVERY_KEY:
            assert client.get(path).status_code == 200
            continue
        if str(route) in ANSWERS_ABOUT_UNKNOWN_SUB_USERS:
            assert client.post(path, **request).json == ANSWERS_ABOUT_UNKNOWN_SUB_USERS[str(route)]
            assert clients.portal.post(path, **request).json != ANSWERS_ABOUT_UNKNOWN_SUB_USERS[str(route)]
            continue
        if str(route) == "POST /v1/webhooks":
            request["json"]["account_id"] = sub_user.account.account_id
        headers = {"Session-Token": token}
        response = client.request(route.method, path, headers=headers, query_string=route.valid_query, **request)
        detail = require_problem(response, 403, "account-not-allowed")["detail"]
        concerns_all = "account_id" not in route.parameters and not route.rule.startswith(PREFIXES_WITHOUT_ACCOUNT)
        concerns_all |= str(route) == "GET /v1/webhooks"
        assert ("This API key is limited to certain accounts: it cannot list" in detail) == concerns_all
        if webhook_path is not None:
            clients.portal.delete(webhook_path)


def test_key_of_one_account_has_access_to_it(clients: ApiClients, sub_user: SubUser) -> None:
    """The key can also log in sub-users and manage webhooks of the account."""
    account_id = sub_user.account.account_id
    client = client_with_limits(clients, accounts=frozenset({UUID(account_id)}))
    assert client.get(sub_user.account.path).status_code == 200
    token = client.post("/v1/sessions", json=sub_user.credentials).json["token"]  # type: ignore[index]
    assert is_session_active(client, token)
    created = client.post("/v1/webhooks", json={"url": "https://receiver.example/", "account_id": account_id})
    assert created.status_code == 201
    listed = client.get("/v1/webhooks", query_string={"account_id": account_id}).json["items"]  # type: ignore[index]
    assert [webhook["webhook_id"] for webhook in listed] == [created.json["webhook_id"]]  # type: ignore[index]
    require_problem(client.get("/v1/webhooks"), 403, "account-not-allowed")
    assert client.delete(created.headers["Location"]).status_code == 204
    other_account = {**sub_user.credentials, "account_email": "nobody@company.example"}
    require_problem(client.post("/v1/sessions", json=other_account), 403, "account-not-allowed")


def test_last_use_of_a_key_is_recorded_in_the_background(own_clients: ApiClients) -> None:
    """Only the first use is an event."""
    client = client_with_limits(own_clients)
    client.post("/v1/sessions/introspect", json={"token": "x"})
    eventually(lambda: last_used(own_clients) is not None)
    topics = "SELECT topic FROM stored_events WHERE topic LIKE 'ApiKey%' ORDER BY notification_id"
    with own_clients.service.database.get_connection() as connection:
        assert [row["topic"] for row in connection.execute(topics)] == ["ApiKeyCreated", "ApiKeyFirstUsed"]


def last_used(clients: ApiClients) -> object:
    return clients.service.commands.api_keys.list()[-1].last_used_at
