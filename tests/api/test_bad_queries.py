"""Queries and headers sent by mistake or on purpose: each is clearly refused or made harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.callers import require_problem
from tests.api.route_table import Route, routes

if TYPE_CHECKING:
    from tests.api.callers import Account, Doors, SubUser

QUERIED = {
    "GET /v1/accounts/{account_id}/sub-users": ["status", "visibility", "q", "sort", "limit", "cursor"],
    "GET /v1/accounts/{account_id}/audit-log": ["sub_user_id", "action", "since", "until", "limit", "cursor"],
    "GET /v1/accounts/{account_id}/usage": ["since", "until", "visibility"],
}
TAKING = [(route, name) for route in routes() for name in QUERIED.get(str(route), [])]
ROUTES = [route for route in routes() if route.rule.startswith("/v1/")]
BRIEFLY = {
    "GET /v1/events": "?limit=1",
    "GET /v1/events/stream": "?after={end}",
    "GET /v1/audit/export": "?format=csv&since=2999-01-01T00:00:00Z",
}
"""What spares routes that tell of all accounts from telling everything, hundreds of times."""

HEADERS = {
    *("Authorization", "Idempotency-Key", "If-Match", "Event-Position", "Session-Token", "Accept", "Content-Type"),
    *("X-Client-IP", "X-Client-User-Agent", "X-Request-Id", "User-Agent", "Cookie", "If-None-Match", "Range"),
}
ODD = [
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
def one(doors: Doors) -> SubUser:
    """Give a sub-user whom nothing in here may harm."""
    return doors.account().let_in_active()


@pytest.mark.parametrize(("route", "name"), TAKING, ids=[f"{route} {name}" for route, name in TAKING])
@pytest.mark.parametrize(
    "value", ["%00", "a%00b", "%0d%0aX-Evil:%201", "%1b[31m", "%e2%80%a8", "9" * 30_000, "%f0%9f%a6%a4" * 300]
)
def test_a_query_that_is_no_text_or_endless_is_refused(
    doors: Doors, one: SubUser, route: Route, name: str, value: str
) -> None:
    """422 naming the parameter: NUL, line breaks, escapes, separators, thousands of characters."""
    path = route.path(account_id=one.account.account_id)
    answer = doors.portal.get(f"{path}?{name}={value}")
    require_problem(answer, 422, "invalid-input", name)


@pytest.mark.parametrize(("route", "name"), TAKING, ids=[f"{route} {name}" for route, name in TAKING])
@pytest.mark.parametrize("value", ["%ff%fe", "%c3%28", "%ed%a0%80", "%", "%zz", "%u0041", "%26%3d", "%27"])
def test_a_query_in_no_encoding_is_harmless(doors: Doors, one: SubUser, route: Route, name: str, value: str) -> None:
    """Either refused, naming the parameter, or taken for text that is found nowhere."""
    path = route.path(account_id=one.account.account_id)
    answer = doors.portal.get(f"{path}?{name}={value}")
    if answer.status_code == 422:
        require_problem(answer, 422, "invalid-input", name)
    else:
        assert answer.status_code == 200
        assert answer.json["items"] == []  # type: ignore[index]


@pytest.mark.parametrize("query", ["limit=1&limit=2", "limit=1&limit=x", "q=a&q=b", "sort=name&sort=email"])
def test_a_parameter_given_twice_counts_once(doors: Doors, one: SubUser, query: str) -> None:
    """The first one does."""
    path = f"{one.account.path}/sub-users"
    first = query.partition("&")[0]
    assert doors.portal.get(f"{path}?{query}").json == doors.portal.get(f"{path}?{first}").json


@pytest.mark.parametrize("route", [route for route, name in TAKING if name == "limit"], ids=str)
@pytest.mark.parametrize("name", ["unknown", "Limit", "limit%00", "limit%20", "%ff", "", "a[b]", "x" * 9000])
def test_an_unknown_parameter_is_refused(doors: Doors, one: SubUser, route: Route, name: str) -> None:
    """422: a misspelled filter must not pass for none."""
    answer = doors.portal.get(f"{route.path(account_id=one.account.account_id)}?{name}=1")
    problem: Any = answer.json
    assert answer.status_code == 422
    assert len(problem["errors"]) == 1


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_no_header_breaks_a_route(doors: Doors, streams_end: None, route: Route) -> None:
    """Whatever is in it, also NUL, which some servers let through: never a 5xx, and errors are problems."""
    briefly = BRIEFLY.get(str(route), "").format(end=doors.service.event_feed.end())
    path = route.path(account_id=uuid4(), sub_user_id=uuid4()) + briefly
    caller = doors.with_scope(min(route.scopes or ()))
    for header in sorted(HEADERS):
        for value in ODD:
            name = "CONTENT_TYPE" if header == "Content-Type" else f"HTTP_{header.upper().replace('-', '_')}"
            answer = caller.ask(route.method, path, environ_overrides={name: value}, data=b"{}")
            assert answer.status_code < 500, (header, value)
            if answer.status_code >= 400:
                assert answer.content_type == "application/problem+json"
                assert answer.json["status"] == answer.status_code  # type: ignore[index]
            assert "\0" not in str(answer.headers)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body is None], ids=str)
def test_a_body_that_nobody_asked_for_is_not_read(
    doors: Doors, streams_end: None, account: Account, route: Route
) -> None:
    """A route without one answers as ever, though ten megabytes of nonsense come along."""
    briefly = BRIEFLY.get(str(route), "").format(end=doors.service.event_feed.end())
    path = route.path(account_id=account.account_id, sub_user_id=uuid4()) + briefly
    caller = doors.with_scope(min(route.scopes or ()))
    headers = {"Session-Token": "x" * 43}
    plain = caller.ask(route.method, path, headers=headers)
    loaded = caller.ask(route.method, path, headers=headers, data=b"\0" * 10 * 1024 * 1024)
    assert loaded.status_code == plain.status_code


def test_a_request_that_is_replayed_by_its_key_has_a_body_of_bounded_size(doors: Doors, account: Account) -> None:
    """Where the body tells one request from another it is read, up to the limit: 413 beyond."""
    one = account.let_in_active()
    headers = {"Idempotency-Key": str(uuid4())}
    answer = doors.portal.post(f"{one.path}/credentials-mail", headers=headers, data=b"\0" * 10 * 1024 * 1024)
    require_problem(answer, 413, "content-too-large")
    assert one.log_in().status_code == 201
