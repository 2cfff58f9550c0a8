"""Invalid and hostile request bodies: every route refuses them or stores them harmlessly, without an internal error."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from api.server.limits import MAX_BODY_BYTES
from tests.api.clients import require_problem
from tests.api.json_values import value_paths
from tests.api.route_table import Route, routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients, SubUser

JSON = "application/json"
ROUTES_WITH_BODY = [route for route in routes() if route.body is not None and not route.is_form]
each_route = pytest.mark.parametrize("route", ROUTES_WITH_BODY, ids=str)
TEN_MEGABYTES = 10 * 1024 * 1024
FIELDS_WITH_ANY_TEXT = {
    *("account_email", "email", "password", "token", "current_password", "new_password"),
    *("code", "recovery_code"),
}
"""Fields that accept any text, because it is only compared or hashed, and e-mails, which `test_emails.py` tests."""

CONTROL_CHARACTERS = [
    "a\0b",
    "\0",
    "\ud800",
    "a\udfffb",
    "line\r\nBcc: everybody@example.com",
    "line\nbreak",
    "\x1b[31m",
    "a\x85b",
]
LINE_SEPARATORS = ["a\u2028b", "a\u2029b"]
WRONG_TYPES: list[Any] = [None, True, 7, -(2**63) - 1, 10**400, 1.5, 1e308, [], {}, ["a"], {"a": "b"}, [[[]]]]
VALID_VALUES_BY_FIELD: dict[Any, tuple[Any, ...]] = {
    **dict.fromkeys(
        ("after", "sub_user_limit", "included_minutes", "included_tokens", "llm_tokens", "conversation_ms"), (7,)
    ),
    "conversation_minutes": (7, 1.5),
    **dict.fromkeys(("active", "reserved", "reading", "needs_second_factor"), (True,)),
    **dict.fromkeys(("permissions", "grants", "checks", "groups", "activity_types"), ([],)),
    "evaluations": ([], ["a"], [[[]]]),
    "labels": ({},),
    **dict.fromkeys(("options", "passkey"), ({}, {"a": "b"})),
}
"""Values of `WRONG_TYPES` that a field accepts, by its name."""

ROUTE_WITH_OPTIONAL_BODY = "POST /v1/accounts/{account_id}/sub-users/{sub_user_id}/credentials-mail"

AUTHZEN = "/access/v1/"
"""Beginning of the paths of AuthZEN. It demands 400 for every invalid request, and that unknown fields are ignored."""


@pytest.fixture(scope="module")
def sub_user(clients: ApiClients) -> SubUser:
    """Return a sub-user that no test in this module changes."""
    return clients.register_account().create_active()


def send(clients: ApiClients, route: Route, sub_user: SubUser, **request: Any) -> TestResponse:
    """Send a request to a route, about this sub-user, with an unknown session token."""
    scope = min(route.scopes or ())
    ids = {"account_id": sub_user.account.account_id, "sub_user_id": sub_user.sub_user_id}
    if "role_id" in route.parameters:
        ids["role_id"] = existing_role_id(sub_user.account)
    path = route.path(**ids)
    headers = {"Session-Token": "x" * 43, **route.harmless_headers, **request.pop("headers", {})}
    return clients.with_scope(scope).request(route.method, path, headers=headers, **request)


def refusal_status(route: Route, status: int) -> int:
    return 400 if route.rule.startswith(AUTHZEN) else status


def existing_role_id(account: Account) -> str:
    """Return the id of a role of this account; create one if there is none."""
    items: Any = account.portal.get(f"{account.path}/roles").json
    return next((role["role_id"] for role in items["items"] if role["built_in"] is None), None) or account.create_role()


def body_of(route: Route, sub_user: SubUser) -> dict[str, Any]:
    body: dict[str, Any] = route.body_about(sub_user.sub_user_id)["json"]
    return body


def validated_paths(body: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value that a schema checks. The signature checks what is within a passkey's response."""
    return (path for path in value_paths(body) if "passkey" not in path[:-1])


def with_value(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of the body with this value at a path."""
    copy = json.loads(json.dumps(body))
    parent = copy
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    return copy


def require_success_or_problem(response: TestResponse) -> None:
    """Require success, or a problem with a 4xx status."""
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.content_type == "application/problem+json"
        problem: Any = response.json
        assert problem["status"] == response.status_code
        assert bool(problem.get("errors")) == (problem["type"] == "urn:subusers:problem:invalid-input")


def require_field_error(route: Route, response: TestResponse, path: tuple[Any, ...]) -> None:
    """Require a problem that names the field, as deep as its errors go."""
    problem: Any = response.json
    if route.rule.startswith(AUTHZEN) and path[0] == "evaluations" and len(path) > 1:
        assert "error" in problem["evaluations"][path[1]]["context"]  # the other elements of the batch count
        return
    assert response.status_code == refusal_status(route, 422), response.text
    errors = problem["errors"]
    for name in path:
        if isinstance(errors, list):
            return
        assert set(errors) == {str(name)}, (path, problem)
        errors = errors[str(name)]


def test_routes_with_a_body_are_collected() -> None:
    assert len(ROUTES_WITH_BODY) >= 9


@each_route
@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[", b'{"a"', b"nul", b"{'a': 1}", b'{"a": 1,}', b"{} {}", b"\xff\xfe\x00", b'{"a": "\xff"}', b"\0"),
        *(b'{"a": NaN}', b'{"a": Infinity}', b'{"a": [-Infinity]}', b'{"a": 1e}', b"9" * 5000, b'{"a": ' + b"9" * 5000),
        *(b"[]", b'"text"', b"1", b"null", b"true", b"[{}]", b" "),
    ],
)
def test_body_other_than_a_json_object_is_refused(
    clients: ApiClients, sub_user: SubUser, route: Route, body: bytes
) -> None:
    """NaN and the infinities are not JSON."""
    response = send(clients, route, sub_user, data=body, content_type=JSON)
    require_problem(response, 400, "malformed-body")


@each_route
@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_body_in_another_encoding_than_utf_8_is_refused(
    clients: ApiClients, sub_user: SubUser, route: Route, encoding: str
) -> None:
    """A byte order mark is refused too."""
    body = json.dumps(body_of(route, sub_user)).encode(encoding)
    require_problem(send(clients, route, sub_user, data=body, content_type=JSON), 400, "malformed-body")


@each_route
@pytest.mark.parametrize(
    ("charset", "accepted"),
    [
        *(("utf-8", True), ('"UTF-8"', True), ("utf-8 ; a=b;", True), ('utf-8; a="; charset=utf-16"', True)),
        *(("utf-16", False), ("latin-1", False), ("", False), ('"utf-16', False), ('"utf-8', False), ('utf-8"', False)),
        *(("utf-8; charset=utf-16", False), ("utf-16; charset=utf-8", False), ("utf-8; charset*=utf-16''x", False)),
        *(("utf-8 x", False), ("utf-8, text/plain", False), ('utf-8; a="b', False), ("utf-8; a", False)),
    ],
)
def test_charset_other_than_utf_8_is_refused(
    clients: ApiClients, sub_user: SubUser, route: Route, charset: str, accepted: bool
) -> None:
    """JSON needs no charset parameter, but UTF-8 may be stated. A malformed parameter is not ignored."""
    response = send(clients, route, sub_user, data=b"[]", content_type=f"{JSON}; charset={charset}")
    unsupported = (refusal_status(route, 415), "unsupported-media-type")
    require_problem(response, *((400, "malformed-body") if accepted else unsupported))


@each_route
@pytest.mark.parametrize("template", ["%s", '{"unknown": %s}', '{"unknown": [%s]}'])
def test_duplicate_names_are_refused(clients: ApiClients, sub_user: SubUser, route: Route, template: str) -> None:
    """They are refused at any depth, because a check in front of the service may have used the other value."""
    name = next(iter(body_of(route, sub_user)))
    body = template % f'{{"{name}": 1, "{name}": 2}}'
    require_problem(send(clients, route, sub_user, data=body.encode(), content_type=JSON), 400, "malformed-body")


@each_route
def test_utf_8_encoded_surrogates_are_refused(clients: ApiClients, sub_user: SubUser, route: Route) -> None:
    response = send(clients, route, sub_user, data=b'{"a": "\xed\xa0\x80"}', content_type=JSON)
    require_problem(response, 400, "malformed-body")


@each_route
def test_numbers_of_thousands_of_digits_are_refused(clients: ApiClients, sub_user: SubUser, route: Route) -> None:
    """Parsing them would take time that grows with the square of their length."""
    response = send(clients, route, sub_user, data=b'{"a": ' + b"9" * 100_000 + b"}", content_type=JSON)
    require_problem(response, 400, "malformed-body")


@each_route
@pytest.mark.parametrize("levels", [500, 990, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_json_is_refused(
    clients: ApiClients, sub_user: SubUser, route: Route, levels: int, opening: str, closing: str
) -> None:
    """The nesting may be at the top, in an unknown field, or in a known one."""
    nested_json = opening * levels + "1" + closing * levels
    valid_body = body_of(route, sub_user)
    bodies = [nested_json, f'{{"unknown": {nested_json}}}']
    bodies += [
        json.dumps(with_value(valid_body, path, "HERE")).replace('"HERE"', nested_json)
        for path in validated_paths(valid_body)
        if "passkey" not in path  # any object is one, and is refused because it answers no challenge
    ]
    for body in bodies:
        response = send(clients, route, sub_user, data=body, content_type=JSON)
        is_refused = response.status_code in {400, 422}
        assert is_refused or route.rule.startswith(AUTHZEN), response.text
        require_success_or_problem(response)


@each_route
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "json",
        "",
    ],
)
def test_content_type_other_than_json_is_refused(
    clients: ApiClients, sub_user: SubUser, route: Route, content_type: str | None
) -> None:
    body = json.dumps(body_of(route, sub_user)).encode()
    response = send(clients, route, sub_user, data=body, content_type=content_type)
    require_problem(response, refusal_status(route, 415), "unsupported-media-type")


@each_route
def test_ten_megabytes_are_refused(clients: ApiClients, sub_user: SubUser, route: Route) -> None:
    """The service stops reading at the limit, whether or not the request states a length."""
    body = json.dumps(with_value(body_of(route, sub_user), ("unknown",), "x" * TEN_MEGABYTES)).encode()
    require_problem(send(clients, route, sub_user, data=body, content_type=JSON), 413, "content-too-large")
    stream = io.BytesIO(body)
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    response = send(clients, route, sub_user, input_stream=stream, content_type=JSON, environ_overrides=environ)
    require_problem(response, 413, "content-too-large")
    assert MAX_BODY_BYTES <= stream.tell() <= 2 * MAX_BODY_BYTES


@each_route
@pytest.mark.parametrize("name", ["unknown", "Email", "email ", "", "\0", "\ud800", "a\r\nb", "__class__", "x" * 5000])
def test_unknown_fields_are_refused(clients: ApiClients, sub_user: SubUser, route: Route, name: str) -> None:
    """Otherwise a misspelled field would be ignored silently. The specification of AuthZEN demands that."""
    response = send(clients, route, sub_user, json=with_value(body_of(route, sub_user), (name,), "value"))
    if route.rule.startswith(AUTHZEN):
        assert response.status_code == 200
        return
    problem: Any = response.json
    assert response.status_code == 422
    assert list(problem["errors"]) == [name[:100].replace("\ud800", "\\ud800")]
    problem["detail"].encode()


@each_route
@pytest.mark.parametrize("text", CONTROL_CHARACTERS + LINE_SEPARATORS, ids=ascii)
def test_control_characters_are_refused_or_harmless(
    clients: ApiClients, sub_user: SubUser, route: Route, text: str
) -> None:
    """Values that are stored or mailed are refused; values that are only compared do not match."""
    valid_body = body_of(route, sub_user)
    for path in validated_paths(valid_body):
        response = send(clients, route, sub_user, json=with_value(valid_body, path, text))
        require_success_or_problem(response)
        accepts_any_text = path[-1] in FIELDS_WITH_ANY_TEXT or "details" in path or route.rule.startswith(AUTHZEN)
        if not accepts_any_text:
            require_field_error(route, response, path)


@each_route
@pytest.mark.parametrize("value", WRONG_TYPES, ids=lambda value: repr(value)[:20])
def test_values_of_the_wrong_type_are_refused(clients: ApiClients, sub_user: SubUser, route: Route, value: Any) -> None:
    """Null is accepted where a field is optional."""
    valid_body = body_of(route, sub_user)
    for path in validated_paths(valid_body):
        if "details" in path or value in VALID_VALUES_BY_FIELD.get(path[-1], ()):
            continue
        response = send(clients, route, sub_user, json=with_value(valid_body, path, value))
        require_success_or_problem(response)
        if value is not None:
            require_field_error(route, response, path)


@each_route
def test_megabyte_of_text_is_refused(clients: ApiClients, sub_user: SubUser, route: Route) -> None:
    """A token to introspect is the exception: any text that is no token is inactive."""
    valid_body = body_of(route, sub_user)
    for path in validated_paths(valid_body):
        response = send(clients, route, sub_user, json=with_value(valid_body, path, "x" * 1024 * 1024))
        if (str(route), path) == ("POST /v1/sessions/introspect", ("token",)):
            assert response.json["active"] is False  # type: ignore[index]
        else:
            require_field_error(route, response, path)


@each_route
def test_missing_body_is_refused(clients: ApiClients, sub_user: SubUser, route: Route) -> None:
    """A lost body must not count as a change of nothing, not even with a JSON content type."""
    if str(route) == ROUTE_WITH_OPTIONAL_BODY:
        assert send(clients, route, sub_user).status_code == 202
        return
    require_problem(send(clients, route, sub_user), 400, "malformed-body")
    require_problem(send(clients, route, sub_user, data=b"", content_type=JSON), 400, "malformed-body")


@each_route
def test_empty_object_is_refused_unless_nothing_is_required(
    clients: ApiClients, sub_user: SubUser, route: Route
) -> None:
    """A PATCH without fields changes nothing."""
    response = send(clients, route, sub_user, json={})
    if str(route) == ROUTE_WITH_OPTIONAL_BODY:
        assert response.status_code == 202
    elif route.method == "PATCH":
        assert response.status_code == 200
        assert "Event-Position" not in response.headers
    else:
        assert response.status_code == refusal_status(route, 422)
        assert response.json["errors"]  # type: ignore[index]


@pytest.mark.parametrize(
    "text", ["  Grace  ", "Gra\u0301ce", "<script>alert(1)</script>", "Robert'); --", "🦤 👩‍👩‍👧", "%s{0}"]
)
def test_names_are_stored_normalized_and_otherwise_unchanged(clients: ApiClients, text: str) -> None:
    """Surrounding spaces are removed and letters composed; nothing else is stripped or interpreted."""
    expected = {"  Grace  ": "Grace", "Gra\u0301ce": "Gr\xe1ce"}.get(text, text)
    sub_user = clients.register_account().create_sub_user(name=text, surname=text)
    assert (sub_user.fetch()["name"], sub_user.fetch()["surname"]) == (expected, expected)
