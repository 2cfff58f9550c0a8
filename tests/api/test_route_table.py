"""Every route there is: who may use it, and what it answers to anybody and anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from api.http.doors import PUBLIC
from application.api_keys import Scope
from tests.api.callers import Caller, require_problem
from tests.api.route_table import STAND_IN, Route, routes

if TYPE_CHECKING:
    from tests.api.callers import Account, Doors

pytestmark = pytest.mark.usefixtures("streams_end")

SUB_USERS = "/v1/accounts/{account_id}/sub-users"
DESIGNED = {
    "POST /v1/accounts": {"portal"},
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
    f"GET {SUB_USERS}/{{sub_user_id}}/personal-data": {"portal"},
    "POST /v1/sessions": {"portal"},
    "POST /v1/sessions/introspect": {"portal"},
    "PUT /v1/sessions/current/password": {"portal"},
    "DELETE /v1/sessions/current": {"portal"},
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
    "GET /schemas/{event_type}.json": set(),
    "GET /schemas/envelopes/{event_type}.json": set(),
    "POST /v1/webhooks": {"portal", "analytics"},
    "GET /v1/webhooks": {"portal", "analytics"},
    "GET /v1/webhooks/{webhook_id}": {"portal", "analytics"},
    "DELETE /v1/webhooks/{webhook_id}": {"portal", "analytics"},
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
OF_THE_API = [route for route in ROUTES if route.audience is None]
GUARDED = [route for route in ROUTES if route.scopes != PUBLIC]
OF_ACCOUNTS = [route for route in GUARDED if "account_id" in route.parameters]
OF_SUB_USERS = [route for route in OF_ACCOUNTS if "sub_user_id" in route.parameters]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def each(some: list[Route]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("route", some, ids=str)


def somewhere(route: Route) -> str:
    """Return a path of this route, of things that do not exist."""
    return route.path(**{name: uuid4() for name in route.parameters})


def test_the_routes_open_to_the_scopes_of_the_design() -> None:
    """Each is there, and opens to those and to no others."""
    declared = {str(route): set(route.scopes or ()) for route in ROUTES}
    assert {name: declared.get(name) for name in DESIGNED} == DESIGNED


@each(ROUTES)
def test_every_route_says_whom_it_opens_to(route: Route) -> None:
    """It takes a key of some scope, or is a page for some visitors, or is among the few that are for everybody."""
    assert route.scopes is not None
    assert bool(route.scopes) == route.rule.startswith("/v1/")
    if route.scopes == PUBLIC:
        assert bool(route.audience) != (str(route) in DESIGNED or route.rule.startswith("/docs/"))


def test_an_auditor_changes_nothing() -> None:
    """All that the scope opens is read, and it opens all that there is to audit by; that it was read is recorded."""
    opened = [route for route in GUARDED if Scope.AUDITOR in (route.scopes or ())]
    assert {route.method for route in opened} == {"GET"}
    of_account = {f"GET /v1/accounts/{{account_id}}/{what}" for what in ("audit-log", "history", "export")}
    of_all = {f"GET /v1/audit/{what}" for what in ("export", "checkpoints", "proofs/{position}", "consistency")}
    assert of_account | of_all <= {str(route) for route in opened}


@each(GUARDED)
def test_a_key_of_another_scope_does_not_open_a_route(doors: Doors, route: Route) -> None:
    """403 before anything else is looked at, and the answer says which scope it takes."""
    for scope in set(Scope) - set(route.scopes or ()):
        answer = doors.with_scope(scope).ask(route.method, somewhere(route), data=b"{")
        problem = require_problem(answer, 403, "wrong-scope")
        assert all(name in problem["detail"] for name in route.scopes or ())


@each(GUARDED)
def test_no_route_opens_without_a_good_key(doors: Doors, route: Route) -> None:
    """401 that asks for a bearer: without a key, with an unknown or a malformed one, or under another scheme."""
    path = somewhere(route)
    key = doors.portal.headers["Authorization"].removeprefix("Bearer ")
    for authorization in (None, "", "Bearer", "Bearer ", "Bearer nonsense", f"Basic {key}", key, f"Bearer {key} x"):
        headers = {} if authorization is None else {"Authorization": authorization}
        answer = doors.stranger.ask(route.method, path, headers=headers, data=b"{")
        require_problem(answer, 401, "unknown-api-key")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="subusers"'


def test_a_revoked_key_opens_nothing_from_then_on(doors: Doors) -> None:
    """401 on every route, with keys that opened it a moment before."""
    service = doors.service
    before = {key.api_key_id for key in service.api_keys.list()}
    secrets = {scope: service.api_keys.create(scope, "for a day", service.clock()) for scope in Scope}
    callers = {scope: Caller.with_key(doors.app, secret) for scope, secret in secrets.items()}
    assert callers[Scope.PORTAL].get(f"/v1/accounts/{uuid4()}").status_code == 404
    for key in service.api_keys.list():
        if key.api_key_id not in before:
            assert service.api_keys.revoke(key.api_key_id, service.clock())
    for route in GUARDED:
        for scope in route.scopes or ():
            answer = callers[scope].ask(route.method, somewhere(route), **route.body_about(STAND_IN))
            require_problem(answer, 401, "unknown-api-key")


@pytest.mark.parametrize("rule", sorted({route.rule for route in OF_THE_API}))
def test_methods_that_a_path_does_not_have_are_not_allowed(doors: Doors, rule: str) -> None:
    """405 with those it has in `Allow`: to unused ones, to OPTIONS and to made-up ones, whatever the key."""
    of_path = [route for route in ROUTES if route.rule == rule]
    used = {route.method for route in of_path}
    allowed = used | ({"HEAD"} if "GET" in used else set())
    for method in (set(METHODS) | {"OPTIONS", "TRACE", "BREW"}) - used:
        for caller in (doors.portal, doors.stranger):
            answer = caller.ask(method, somewhere(of_path[0]))
            require_problem(answer, 405, "method-not-allowed")
            assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path",
    [
        *("/v1", "/v1/", "/v2/accounts", "/v1/accounts/", "/v1//accounts", "//v1/accounts", "/v1/Accounts"),
        *("/v1/accounts/..", "/v1/accounts/%2e%2e", "/v1/accounts/%00", "/v1/accounts/%ff", "/v1/accounts/\u00e9"),
        f"/v1/accounts/{STAND_IN}/",
        f"/v1/accounts/{STAND_IN.replace('-', '')}",
        f"/v1/accounts/{{{STAND_IN}}}",
        f"/v1/accounts/{STAND_IN}x/sub-users",
        f"/v1/accounts/{STAND_IN}/sub-users/",
        "/v1/sessions/other",
        "/admin",
        "/.env",
        "/docs/../app.py",
        "/docs/%2e%2e/app.py",
        "/" + "x" * 5000,
    ],
)
def test_a_path_that_there_is_not_is_not_found(doors: Doors, path: str) -> None:
    """404 with or without a key, and never a redirection."""
    for caller in (doors.portal, doors.stranger):
        for method in METHODS if not path.startswith("/docs") else ["GET"]:
            require_problem(caller.ask(method, path), 404, "not-found")


@each(OF_ACCOUNTS)
def test_an_account_that_nobody_registered_is_not_found(doors: Doors, account: Account, route: Route) -> None:
    """404 for every scope that the route opens to, with a request that is right in all else."""
    one = account.let_in()
    for scope in route.scopes or ():
        path = route.path(account_id=uuid4(), **({"sub_user_id": one.sub_user_id} if route in OF_SUB_USERS else {}))
        answer = doors.with_scope(scope).ask(route.method, path, **route.body_about(one.sub_user_id))
        require_problem(answer, 404, "account-not-found")


@each(OF_SUB_USERS)
def test_another_account_s_sub_user_is_not_found(doors: Doors, account: Account, route: Route) -> None:
    """404, as for one whom nobody let in, and they are as they were."""
    one = doors.account().let_in_active()
    before, history = one.shown(), one.account.rows()
    for sub_user_id in (one.sub_user_id, str(uuid4()), account.account_id, one.account.account_id):
        path = route.path(account_id=account.account_id, sub_user_id=sub_user_id)
        answer = doors.portal.ask(route.method, path, **route.body_about(sub_user_id))
        require_problem(answer, 404, "sub-user-not-found")
    assert one.shown() == before
    assert one.account.rows() == history
    assert one.log_in().status_code == 201


def test_another_account_s_sub_user_cannot_be_reported_on(doors: Doors, account: Account) -> None:
    """422 naming them, as for one whom nobody let in, and nothing is recorded in either account."""
    stranger = doors.account().let_in()
    history = stranger.account.rows()
    body = {"activities": [{"sub_user_id": stranger.sub_user_id, "action": "tool.used"}]}
    answer = doors.portal.post(f"{account.path}/activities", json=body)
    require_problem(answer, 422, "invalid-input", "activities")
    assert stranger.account.rows() == history
    assert len(account.rows()) == 1


@each([route for route in ROUTES if route.rule.startswith("/v1/")])
def test_no_answer_is_stored_on_the_way(doors: Doors, route: Route) -> None:
    """Also refusals: no-store, nosniff, no referrer, no content to run, and a request id."""
    for caller in (doors.stranger, doors.portal, doors.support, doors.auditor):
        answer = caller.ask(route.method, somewhere(route), **route.body_about(STAND_IN))
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert str(UUID(answer.headers["X-Request-Id"])) == answer.headers["X-Request-Id"]
        assert "Set-Cookie" not in answer.headers
        assert answer.status_code < 500


def test_head_is_get_without_the_body(doors: Doors, account: Account) -> None:
    """The same status and headers."""
    one = account.let_in()
    for path in ("/healthz", account.path, one.path, f"{account.path}/sub-users", f"{account.path}/audit-log"):
        got, head = doors.portal.get(path), doors.portal.ask("HEAD", path)
        assert head.data == b""
        assert head.status_code == got.status_code == 200
        different = {"X-Request-Id"}
        assert {n: v for n, v in head.headers.items() if n not in different} == {
            n: v for n, v in got.headers.items() if n not in different
        }
