"""Invalid and hostile query parameters and headers: every route refuses them or is not affected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.clients import require_problem
from tests.api.route_table import Route, routes

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClients, SubUser

QUERY_PARAMETERS = {
    "GET /v1/accounts/{account_id}/sub-users": ["status", "visibility", "q", "sort", "limit", "cursor"],
    "GET /v1/accounts/{account_id}/audit-log": [
        *("sub_user_id", "action", "actor_type", "actor_id", "since", "until", "limit", "cursor"),
    ],
    "GET /v1/accounts/{account_id}/usage": ["since", "until", "visibility"],
    "GET /v1/accounts/{account_id}/access": ["permission", "resource_type", "resource_id", "as_of"],
}
OTHER_PARAMETERS = {
    "GET /v1/accounts/{account_id}/access": {
        "permission": "assistants",
        "resource_type": "assistant",
        "resource_id": "a-1",
    },
}
"""Parameters that a request needs in addition to the one that is tested."""

ROUTES_AND_PARAMETERS = [(route, name) for route in routes() for name in QUERY_PARAMETERS.get(str(route), [])]
ROUTES = [route for route in routes() if route.rule.startswith(("/v1/", "/access/"))]
SHORT_QUERIES = {
    "GET /v1/events": "?limit=1",
    "GET /v1/events/stream": "?after={end}",
    "GET /v1/audit/export": "?format=csv&since=2999-01-01T00:00:00Z",
}
"""Queries that keep the responses of routes about all accounts short."""

HEADERS = {
    *("Authorization", "Idempotency-Key", "If-Match", "Event-Position", "Session-Token", "Accept", "Content-Type"),
    *("X-Client-IP", "X-Client-User-Agent", "X-Request-Id", "User-Agent", "Cookie", "If-None-Match", "Range"),
}
UNUSUAL_VALUES = [
    "\0",
    "a\0b",
    "\x7f",
    "\x80\xff",
    "\u00e9",
    "'",
    '"',
    "=",
    ";",
    ",",
    " ",
    "%00",
    "%s",
    "${x}",
    "x" * 60_000,
    "9" * 5000,
]


@pytest.fixture(scope="module")
def sub_user(clients: ApiClients) -> SubUser:
    """Return a sub-user that no test in this module changes."""
    return clients.register_account().create_active()


def url(route: Route, sub_user: SubUser, name: str, value: str) -> str:
    """Return the URL of a list of the sub-user's account, with a parameter whose value is percent-encoded."""
    others = {**OTHER_PARAMETERS.get(str(route), {})}
    others.pop(name, None)
    query = "&".join(f"{key}={text}" for key, text in {**others, name: value}.items())
    return f"{route.path(account_id=sub_user.account.account_id)}?{query}"


@pytest.mark.parametrize(
    ("route", "name"), ROUTES_AND_PARAMETERS, ids=[f"{route} {name}" for route, name in ROUTES_AND_PARAMETERS]
)
@pytest.mark.parametrize(
    "value", ["%00", "a%00b", "%0d%0aX-Evil:%201", "%1b[31m", "%e2%80%a8", "9" * 30_000, "%f0%9f%a6%a4" * 300]
)
def test_control_characters_and_overlong_values_are_refused(
    clients: ApiClients, sub_user: SubUser, route: Route, name: str, value: str
) -> None:
    """The problem names the parameter."""
    response = clients.portal.get(url(route, sub_user, name, value))
    require_problem(response, 422, "invalid-input", name)


@pytest.mark.parametrize(
    ("route", "name"), ROUTES_AND_PARAMETERS, ids=[f"{route} {name}" for route, name in ROUTES_AND_PARAMETERS]
)
@pytest.mark.parametrize("value", ["%ff%fe", "%c3%28", "%ed%a0%80", "%", "%zz", "%u0041", "%26%3d", "%27"])
def test_invalid_percent_encoding_is_harmless(
    clients: ApiClients, sub_user: SubUser, route: Route, name: str, value: str
) -> None:
    """The value is either refused or treated as text that matches nothing."""
    response = clients.portal.get(url(route, sub_user, name, value))
    if response.status_code == 422:
        require_problem(response, 422, "invalid-input", name)
    else:
        assert response.status_code == 200
        assert response.json["items"] == []  # type: ignore[index]


@pytest.mark.parametrize("route", [route for route in ROUTES if route.query], ids=str)
def test_messages_about_a_parameter_are_a_list(clients: ApiClients, sub_user: SubUser, route: Route) -> None:
    """Also those about one of several values: clients can read the errors of every route in the same way."""
    path = route.path(account_id=sub_user.account.account_id, sub_user_id=sub_user.sub_user_id)
    client = clients.with_scope(min(route.scopes or ())).with_deprecated_names()
    for name in route.query:
        response = client.request(route.method, f"{path}?{name}=%00,%00")
        problem: Any = response.json
        assert name in problem["errors"]
        require_problem(response, 422, "invalid-input", *problem["errors"])


ROUTES_WITH_TIME_RANGE = {
    "GET /v1/accounts/{account_id}/audit-log": "T00:00:00Z",
    "GET /v1/accounts/{account_id}/usage": "",
    "GET /v1/accounts/{account_id}/export": "T00:00:00Z",
    "GET /v1/audit/export": "T00:00:00Z",
}
"""Suffix that turns a day into the parameter's format, by route with `since` and `until`."""


def test_every_route_with_a_time_range_is_listed() -> None:
    assert {str(route) for route in routes() if {"since", "until"} <= set(route.query)} == set(ROUTES_WITH_TIME_RANGE)


@pytest.mark.parametrize("route", [route for route in routes() if str(route) in ROUTES_WITH_TIME_RANGE], ids=str)
@pytest.mark.parametrize(("since", "until"), [("2026-05-02", "2026-05-01"), ("2026-05-01", "2026-05-01")])
def test_empty_time_range_is_refused(
    clients: ApiClients, sub_user: SubUser, route: Route, since: str, until: str
) -> None:
    """An empty response would hide the mistake."""
    query = {"since": since + ROUTES_WITH_TIME_RANGE[str(route)], "until": until + ROUTES_WITH_TIME_RANGE[str(route)]}
    client = clients.with_scope(min(route.scopes or ()))
    response = client.request("GET", route.path(account_id=sub_user.account.account_id), query_string=query)
    require_problem(response, 422, "invalid-input", "until")


@pytest.mark.parametrize("query", ["limit=1&limit=2", "limit=1&limit=x", "q=a&q=b", "sort=name&sort=name", "x=1&x=2"])
def test_repeated_parameter_is_refused(clients: ApiClients, sub_user: SubUser, query: str) -> None:
    """Otherwise one of two filters would be ignored silently. Lists are the exception."""
    response = clients.portal.get(f"{sub_user.account.path}/sub-users?{query}")
    require_problem(response, 422, "invalid-input", query.partition("=")[0])


@pytest.mark.parametrize("route", [route for route in routes() if str(route) in QUERY_PARAMETERS], ids=str)
@pytest.mark.parametrize("name", ["unknown", "Limit", "limit%00", "limit%20", "%ff", "", "a[b]", "x" * 9000])
def test_unknown_parameter_is_refused(clients: ApiClients, sub_user: SubUser, route: Route, name: str) -> None:
    """Otherwise a misspelled filter would be ignored silently."""
    response = clients.portal.get(url(route, sub_user, name, "1"))
    problem: Any = response.json
    assert response.status_code == 422
    assert len(problem["errors"]) == 1


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_no_header_value_causes_an_internal_error(
    clients: ApiClients, finite_event_streams: None, route: Route
) -> None:
    """Some servers let even NUL through. The body of a refusal is a problem."""
    query = SHORT_QUERIES.get(str(route), "").format(end=clients.service.queries.events.end())
    path = route.path(account_id=uuid4(), sub_user_id=uuid4()) + query
    client = clients.with_scope(min(route.scopes or ()))
    for header in sorted(HEADERS):
        for value in UNUSUAL_VALUES:
            name = "CONTENT_TYPE" if header == "Content-Type" else f"HTTP_{header.upper().replace('-', '_')}"
            response = client.request(route.method, path, environ_overrides={name: value}, data=b"{}")
            assert response.status_code < 500, (header, value)
            if response.status_code >= 400:
                assert response.content_type == "application/problem+json"
                assert response.json["status"] == response.status_code  # type: ignore[index]
            assert "\0" not in str(response.headers)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body is None], ids=str)
def test_unexpected_body_is_not_read(
    clients: ApiClients, finite_event_streams: None, account: Account, route: Route
) -> None:
    """A route without a body responds the same with ten megabytes of nonsense."""
    query = SHORT_QUERIES.get(str(route), "").format(end=clients.service.queries.events.end())
    path = route.path(account_id=account.account_id, sub_user_id=uuid4()) + query
    client = clients.with_scope(min(route.scopes or ()))
    headers = {"Session-Token": "x" * 43}
    without_body = client.request(route.method, path, headers=headers)
    with_body = client.request(route.method, path, headers=headers, data=b"\0" * 10 * 1024 * 1024)
    assert with_body.status_code == without_body.status_code


def test_body_of_a_request_with_an_idempotency_key_is_limited(clients: ApiClients, account: Account) -> None:
    """The body is read, because it is part of the request's fingerprint."""
    sub_user = account.create_active()
    headers = {"Idempotency-Key": str(uuid4())}
    response = clients.portal.post(f"{sub_user.path}/credentials-mail", headers=headers, data=b"\0" * 10 * 1024 * 1024)
    require_problem(response, 413, "content-too-large")
    assert sub_user.log_in().status_code == 201
