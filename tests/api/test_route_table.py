"""Rules that every route follows: scopes, authentication, methods, unknown resources, and response headers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from api.http.authentication import OAUTH_INTROSPECTION_PATH, PUBLIC
from application.commands.api_keys import Scope
from tests.api.clients import ApiClient, require_problem
from tests.api.round_trips import counting_round_trips
from tests.api.route_table import EXAMPLE_ID, Route, routes
from tests.api_keys import BY_OPERATOR, add_api_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.api.clients import Account, ApiClients

pytestmark = pytest.mark.usefixtures("finite_event_streams")

SUB_USERS = "/v1/accounts/{account_id}/sub-users"
SCOPES_BY_ROUTE = {
    "POST /v1/accounts": {"portal"},
    "GET /v1/accounts": {"portal"},
    "GET /v1/accounts/{account_id}": {"portal"},
    "PATCH /v1/accounts/{account_id}": {"portal"},
    "DELETE /v1/accounts/{account_id}": {"portal"},
    "PUT /v1/accounts/{account_id}/sub-user-limit": {"support"},
    "POST /v1/accounts/{account_id}/console-links": {"portal"},
    f"POST {SUB_USERS}": {"portal"},
    f"GET {SUB_USERS}": {"portal"},
    f"GET {SUB_USERS}/{{sub_user_id}}": {"portal"},
    f"PATCH {SUB_USERS}/{{sub_user_id}}": {"portal"},
    f"DELETE {SUB_USERS}/{{sub_user_id}}": {"portal"},
    f"POST {SUB_USERS}/{{sub_user_id}}/credentials-mail": {"portal"},
    f"GET {SUB_USERS}/{{sub_user_id}}/sessions": {"portal"},
    f"DELETE {SUB_USERS}/{{sub_user_id}}/sessions": {"portal"},
    f"DELETE {SUB_USERS}/{{sub_user_id}}/sessions/{{session_id}}": {"portal"},
    f"GET {SUB_USERS}/{{sub_user_id}}/personal-data": {"portal"},
    f"GET {SUB_USERS}/{{sub_user_id}}/grants": {"portal"},
    f"POST {SUB_USERS}/{{sub_user_id}}/grants": {"portal"},
    f"PUT {SUB_USERS}/{{sub_user_id}}/grants": {"portal"},
    f"DELETE {SUB_USERS}/{{sub_user_id}}/grants/{{grant_id}}": {"portal"},
    "GET /v1/accounts/{account_id}/roles": {"portal"},
    "POST /v1/accounts/{account_id}/roles": {"portal"},
    "GET /v1/accounts/{account_id}/roles/{role_id}": {"portal"},
    "PATCH /v1/accounts/{account_id}/roles/{role_id}": {"portal"},
    "DELETE /v1/accounts/{account_id}/roles/{role_id}": {"portal"},
    "GET /v1/accounts/{account_id}/access": {"portal", "auditor"},
    "GET /v1/permissions": {"portal", "support", "auditor", "analytics"},
    "PUT /v1/permissions": {"portal"},
    "GET /v1/activity-types": {"portal", "support", "auditor", "analytics"},
    "PUT /v1/activity-types": {"portal"},
    "POST /access/v1/evaluation": {"portal"},
    "POST /access/v1/evaluations": {"portal"},
    "POST /access/v1/search/subject": {"portal"},
    "POST /access/v1/search/resource": {"portal"},
    "POST /access/v1/search/action": {"portal"},
    "GET /.well-known/authzen-configuration": set(),
    "GET /v1/sessions/current/resources": {"portal"},
    "POST /v1/email-changes/confirm": {"portal"},
    "POST /v1/email-changes/undo": {"portal"},
    "POST /v1/sessions": {"portal"},
    "POST /v1/sessions/introspect": {"portal"},
    "POST /v1/password-resets": {"portal"},
    "POST /v1/password-resets/complete": {"portal"},
    "POST /v1/invitations/complete": {"portal"},
    "POST /v1/sessions/passkey": {"portal"},
    "POST /v1/sessions/passkey-challenges": {"portal"},
    "POST /v1/sessions/current/second-factor": {"portal"},
    "POST /v1/sessions/current/second-factor/challenges": {"portal"},
    "GET /v1/sessions/current/second-factors": {"portal"},
    "POST /v1/sessions/current/second-factors": {"portal"},
    "POST /v1/sessions/current/second-factors/totp": {"portal"},
    "POST /v1/sessions/current/second-factors/passkey": {"portal"},
    "POST /v1/sessions/current/second-factors/recovery-codes": {"portal"},
    "DELETE /v1/sessions/current/second-factors/{factor_id}": {"portal"},
    f"DELETE {SUB_USERS}/{{sub_user_id}}/second-factors": {"portal"},
    "DELETE /v1/accounts/{account_id}/owner/second-factors": {"support"},
    "POST /oauth2/introspect": {"portal"},
    "POST /v1/webhooks/{webhook_id}/test": {"portal", "analytics"},
    "GET /v1/api-keys/current": {"portal", "support", "auditor", "analytics"},
    "PUT /v1/sessions/current/password": {"portal"},
    "DELETE /v1/sessions/current": {"portal"},
    "GET /v1/sessions": {"portal"},
    "DELETE /v1/sessions/{session_id}": {"portal"},
    "DELETE /v1/sessions/others": {"portal"},
    "POST /v1/accounts/{account_id}/activities": {"portal"},
    "POST /v1/accounts/{account_id}/usage": {"portal"},
    "GET /v1/accounts/{account_id}/usage": {"portal"},
    "PUT /v1/accounts/{account_id}/plan": {"portal"},
    "GET /v1/accounts/{account_id}/audit-log": {"portal", "auditor"},
    "GET /v1/accounts/{account_id}/history": {"auditor"},
    "GET /v1/accounts/{account_id}/export": {"auditor"},
    "GET /v1/audit/export": {"auditor"},
    "GET /v1/events": {"analytics", "auditor"},
    "GET /v1/events/stream": {"analytics", "auditor"},
    "GET /v1/accounts/{account_id}/events": {"portal"},
    "GET /v1/audit/checkpoints": {"auditor"},
    "GET /v1/audit/checkpoints/latest": {"auditor"},
    "GET /v1/audit/keys": {"auditor"},
    "GET /v1/audit/proofs/{position}": {"auditor"},
    "GET /v1/audit/consistency": {"auditor"},
    "GET /asyncapi.json": set(),
    "GET /schemas/": set(),
    "GET /schemas/{event_type}.json": set(),
    "GET /schemas/envelopes/{event_type}.json": set(),
    "POST /v1/webhooks": {"portal", "analytics"},
    "GET /v1/webhooks": {"portal", "analytics"},
    "GET /v1/webhooks/{webhook_id}": {"portal", "analytics"},
    "DELETE /v1/webhooks/{webhook_id}": {"portal", "analytics"},
    "POST /v1/webhooks/{webhook_id}/adopt": {"portal", "analytics"},
    "POST /v1/webhooks/{webhook_id}/secrets": {"portal", "analytics"},
    "POST /v1/webhooks/{webhook_id}/replay": {"portal", "analytics"},
    "POST /v1/webhooks/{webhook_id}/enable": {"portal", "analytics"},
    "GET /v1/webhooks/{webhook_id}/deliveries": {"portal", "analytics"},
    "GET /healthz": set(),
    "GET /readyz": set(),
    "GET /metrics": set(),
    "GET /openapi.json": set(),
    "GET /docs": set(),
}

ROUTES = routes()
API_ROUTES = [route for route in ROUTES if route.audiences is None]
"""All routes but the pages of the console."""

ROUTES_WITH_SCOPES = [route for route in ROUTES if route.scopes != PUBLIC]
ACCOUNT_ROUTES = [route for route in ROUTES_WITH_SCOPES if "account_id" in route.parameters]
SUB_USER_ROUTES = [route for route in ACCOUNT_ROUTES if "sub_user_id" in route.parameters]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def each_route(route_list: Sequence[Route]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("route", route_list, ids=str)


def path_of_missing_resources(route: Route) -> str:
    """Return a path of this route with random ids."""
    return route.path(**{name: uuid4() for name in route.parameters})


def test_exactly_the_specified_routes_exist_outside_the_console() -> None:
    """Each has the specified scopes. The files of the documentation page are not listed one by one."""
    assert {
        str(route): None if route.scopes is None else set(route.scopes)
        for route in API_ROUTES
        if not route.rule.startswith("/docs/")
    } == SCOPES_BY_ROUTE


@each_route(ROUTES)
def test_only_routes_of_the_api_require_an_api_key(route: Route) -> None:
    """Every other route is declared as public: a route without any declaration answers 403 to everyone."""
    assert route.scopes is not None
    assert bool(route.scopes) == route.rule.startswith(("/v1/", "/oauth2/", "/access/"))


def test_auditor_scope_only_reads_and_suffices_for_an_audit() -> None:
    auditor_routes = [route for route in ROUTES_WITH_SCOPES if Scope.AUDITOR in (route.scopes or ())]
    assert {route.method for route in auditor_routes} == {"GET"}
    account_routes = {f"GET /v1/accounts/{{account_id}}/{resource}" for resource in ("audit-log", "history", "export")}
    global_routes = {
        f"GET /v1/audit/{resource}" for resource in ("export", "checkpoints", "proofs/{position}", "consistency")
    }
    assert account_routes | global_routes <= {str(route) for route in auditor_routes}


@each_route(ROUTES_WITH_SCOPES)
def test_key_of_another_scope_is_refused(clients: ApiClients, route: Route) -> None:
    """The scope is checked before anything else, and the problem names the required scopes."""
    for scope in set(Scope) - set(route.scopes or ()):
        response = clients.with_scope(scope).request(route.method, path_of_missing_resources(route), data=b"{")
        problem = require_problem(response, 403, "wrong-scope")
        assert all(name in problem["detail"] for name in route.scopes or ())


@each_route(ROUTES_WITH_SCOPES)
def test_missing_or_invalid_key_is_refused(clients: ApiClients, route: Route) -> None:
    """This includes malformed keys and other authorization schemes."""
    path = path_of_missing_resources(route)
    key = clients.portal.headers["Authorization"].removeprefix("Bearer ")
    for authorization in (None, "", "Bearer", "Bearer ", "Bearer nonsense", f"Basic {key}", key, f"Bearer {key} x"):
        headers = {} if authorization is None else {"Authorization": authorization}
        response = clients.anonymous.request(route.method, path, headers=headers, data=b"{")
        require_problem(response, 401, "unknown-api-key")
        challenges = ['Bearer realm="subusers", error="invalid_token"']
        if route.rule == OAUTH_INTROSPECTION_PATH:
            challenges.insert(0 if str(authorization).startswith("Basic") else 1, 'Basic realm="subusers"')
        assert response.headers["WWW-Authenticate"] == ", ".join(challenges)


class UnreadBody(io.RawIOBase):
    """A request body that fails the test when it is read."""

    def readable(self) -> bool:
        return True

    def readinto(self, _: object) -> int:
        pytest.fail("the body was read")


@each_route([route for route in ROUTES_WITH_SCOPES if route.body is not None])
def test_key_is_checked_before_the_body_is_read(clients: ApiClients, route: Route) -> None:
    """Otherwise a client without a key could occupy threads with slow bodies."""
    headers = {"Content-Type": "application/json", "Authorization": "Bearer nonsense"}
    environ = {"wsgi.input": UnreadBody(), "CONTENT_LENGTH": "100"}
    response = clients.anonymous.request(
        route.method, path_of_missing_resources(route), headers=headers, environ_overrides=environ
    )
    require_problem(response, 401, "unknown-api-key")


@each_route(ROUTES_WITH_SCOPES)
def test_invalid_key_takes_one_query_for_any_resource(clients: ApiClients, account: Account, route: Route) -> None:
    """It looks up the key, whether or not the account and the sub-user exist."""
    sub_user = account.create_with_own_password()
    headers = {"Authorization": "Bearer nonsense", "X-Client-IP": "192.0.2.1"}
    for account_id, sub_user_id, login in (
        (account.account_id, sub_user.sub_user_id, sub_user.credentials),
        (uuid4(), uuid4(), {**sub_user.credentials, "account_email": "nobody@company.example"}),
    ):
        body = {"json": login} if str(route) == "POST /v1/sessions" else route.body_about(str(sub_user_id))
        path = route.path(account_id=account_id, sub_user_id=sub_user_id)
        with counting_round_trips() as round_trips:
            response = clients.anonymous.request(route.method, path, headers=headers, **body)
        require_problem(response, 401, "unknown-api-key")
        assert round_trips.count == 1


def test_revoked_key_is_refused_everywhere(clients: ApiClients) -> None:
    service = clients.service
    existing_keys = {key.api_key_id for key in service.commands.api_keys.list()}
    secrets = {scope: add_api_key(service, scope, "to be revoked") for scope in Scope}
    clients_by_scope = {scope: ApiClient.with_key(clients.app, secret) for scope, secret in secrets.items()}
    assert clients_by_scope[Scope.PORTAL].get(f"/v1/accounts/{uuid4()}").status_code == 404
    for key in service.commands.api_keys.list():
        if key.api_key_id not in existing_keys:
            assert service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR)
    for route in ROUTES_WITH_SCOPES:
        for scope in route.scopes or ():
            response = clients_by_scope[scope].request(
                route.method, path_of_missing_resources(route), **route.body_about(EXAMPLE_ID)
            )
            require_problem(response, 401, "unknown-api-key")


@pytest.mark.parametrize("rule", sorted({route.rule for route in API_ROUTES}))
def test_other_methods_are_not_allowed(clients: ApiClients, rule: str) -> None:
    """The 405 lists the supported methods in `Allow`. OPTIONS and invented methods get it too, with any key or none."""
    routes_of_path = [route for route in ROUTES if route.rule == rule]
    methods_of_path = {route.method for route in routes_of_path}
    allowed = methods_of_path | ({"HEAD"} if "GET" in methods_of_path else set())
    for method in (set(METHODS) | {"OPTIONS", "TRACE", "BREW"}) - methods_of_path:
        for client in (clients.portal, clients.anonymous):
            response = client.request(method, path_of_missing_resources(routes_of_path[0]))
            require_problem(response, 405, "method-not-allowed")
            assert set(response.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path",
    [
        *("/v1", "/v1/", "/v2/accounts", "/v1/accounts/", "/v1//accounts", "//v1/accounts", "/v1/Accounts"),
        *("/v1/accounts/..", "/v1/accounts/%2e%2e", "/v1/accounts/%00", "/v1/accounts/%ff", "/v1/accounts/\u00e9"),
        f"/v1/accounts/{EXAMPLE_ID}/",
        f"/v1/accounts/{EXAMPLE_ID.replace('-', '')}",
        f"/v1/accounts/{{{EXAMPLE_ID}}}",
        f"/v1/accounts/{EXAMPLE_ID}x/sub-users",
        f"/v1/accounts/{EXAMPLE_ID}/sub-users/",
        "/v1/sessions/other",
        "/admin",
        "/.env",
        "/docs/../app.py",
        "/docs/%2e%2e/app.py",
        "/" + "x" * 5000,
    ],
)
def test_unknown_path_is_not_found(clients: ApiClients, path: str) -> None:
    """This holds with and without a key; there is no redirect."""
    # Other methods below /docs/ get a 405: any file name matches the route of the documentation page's files.
    methods = ["GET"] if path.startswith("/docs/") else METHODS
    for client in (clients.portal, clients.anonymous):
        for method in methods:
            require_problem(client.request(method, path), 404, "not-found")


@each_route(ACCOUNT_ROUTES)
def test_unknown_account_is_not_found(clients: ApiClients, account: Account, route: Route) -> None:
    """This holds for every scope of the route, in an otherwise valid request."""
    sub_user = account.create_sub_user()
    for scope in route.scopes or ():
        path = route.path(
            account_id=uuid4(), **({"sub_user_id": sub_user.sub_user_id} if route in SUB_USER_ROUTES else {})
        )
        body = route.body_about(sub_user.sub_user_id)
        client = clients.with_scope(scope).with_headers(X_Reason="asked by phone")
        response = client.request(route.method, path, query_string=route.valid_query, **body)
        require_problem(response, 404, "account-not-found")


@each_route(SUB_USER_ROUTES)
def test_sub_user_of_another_account_is_not_found(clients: ApiClients, account: Account, route: Route) -> None:
    """The response is the same as for an unknown sub-user, and nothing changes."""
    sub_user = clients.register_account().create_active()
    before, history = sub_user.fetch(), sub_user.account.audit_log_rows()
    for sub_user_id in (sub_user.sub_user_id, str(uuid4()), account.account_id, sub_user.account.account_id):
        path = route.path(account_id=account.account_id, sub_user_id=sub_user_id)
        response = clients.portal.request(route.method, path, **route.body_about(sub_user_id))
        require_problem(response, 404, "sub-user-not-found")
    assert sub_user.fetch() == before
    assert sub_user.account.audit_log_rows() == history
    assert sub_user.log_in().status_code == 201


def test_activity_of_another_accounts_sub_user_is_refused(clients: ApiClients, account: Account) -> None:
    """Nothing is recorded in either account."""
    other_sub_user = clients.register_account().create_sub_user()
    history = other_sub_user.account.audit_log_rows()
    body = {"activities": [{"sub_user_id": other_sub_user.sub_user_id, "action": "tool.used"}]}
    response = clients.portal.post(f"{account.path}/activities", json=body)
    require_problem(response, 422, "invalid-input", "activities")
    assert other_sub_user.account.audit_log_rows() == history
    assert len(account.audit_log_rows()) == 1


@each_route([route for route in ROUTES if route.rule.startswith(("/v1/", "/access/"))])
def test_responses_have_security_headers(clients: ApiClients, route: Route) -> None:
    """Refusals have them too."""
    for client in (clients.anonymous, clients.portal, clients.support, clients.auditor):
        path, body = path_of_missing_resources(route), route.body_about(EXAMPLE_ID)
        response = client.request(route.method, path, headers=route.harmless_headers, **body)
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert str(UUID(response.headers["X-Request-Id"])) == response.headers["X-Request-Id"]
        assert "Set-Cookie" not in response.headers
        assert response.status_code < 500


def test_head_equals_get_without_the_body(clients: ApiClients, account: Account) -> None:
    sub_user = account.create_sub_user()
    for path in ("/healthz", account.path, sub_user.path, f"{account.path}/sub-users", f"{account.path}/audit-log"):
        get_response, head_response = clients.portal.get(path), clients.portal.request("HEAD", path)
        assert head_response.data == b""
        assert head_response.status_code == get_response.status_code == 200
        for response in (get_response, head_response):
            response.headers.remove("X-Request-Id")  # differs in each response
        assert dict(head_response.headers) == dict(get_response.headers)
