"""Bodies sent by mistake or on purpose: each is clearly refused or made harmless, and none breaks the service."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from api.http.bodies import LARGEST_BODY
from tests.api.callers import require_problem
from tests.api.route_table import Route, routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

    from tests.api.callers import Doors, SubUser

JSON = "application/json"
TAKING = [route for route in routes() if route.body is not None]
each = pytest.mark.parametrize("route", TAKING, ids=str)
TEN_MEGABYTES = 10 * 1024 * 1024
COMPARED = {"account_email", "email", "password", "token", "current_password", "new_password"}
"""What is never shown again, where any text may be tried or chosen; and e-mails, which have a test of their own."""

CONTROL = [
    "a\0b",
    "\0",
    "\ud800",
    "a\udfffb",
    "line\r\nBcc: everybody@example.com",
    "line\nbreak",
    "\x1b[31m",
    "a\x85b",
]
SEPARATORS = ["a\u2028b", "a\u2029b"]
RIGHT_TYPES: dict[Any, tuple[float, ...]] = {
    **dict.fromkeys(("after", "limit", "included_minutes", "included_tokens", "llm_tokens"), (7,)),
    "conversation_minutes": (7, 1.5),
}
"""Which of the following are no wrong ones, by field."""

WRONG_TYPES: list[Any] = [None, True, 7, -(2**63) - 1, 10**400, 1.5, 1e308, [], {}, ["a"], {"a": "b"}, [[[]]]]


@pytest.fixture(autouse=True)
def _refusals_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have logins refused at once."""
    monkeypatch.setattr("api.http.sessions.REFUSALS_TAKE", 0.001)


@pytest.fixture(scope="module")
def one(doors: Doors) -> SubUser:
    """Give a sub-user whom nothing in here may harm."""
    return doors.account().let_in_active()


def send(doors: Doors, route: Route, one: SubUser, **request: Any) -> TestResponse:
    """Send this to a route, for this sub-user, with a session of nobody's where one is needed."""
    scope = min(route.scopes or ())
    path = route.path(account_id=one.account.account_id, sub_user_id=one.sub_user_id)
    headers = {"Session-Token": "x" * 43, **request.pop("headers", {})}
    return doors.with_scope(scope).ask(route.method, path, headers=headers, **request)


def body_of(route: Route, one: SubUser) -> dict[str, Any]:
    body: dict[str, Any] = route.body_about(one.sub_user_id)["json"]
    return body


def places(body: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the way to each value in a body."""
    parts = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, value in parts:
        yield (*at, name)
        yield from places(value, (*at, name))


def put(body: Any, at: tuple[Any, ...], value: Any) -> Any:
    """Return the body with this value there."""
    copy = json.loads(json.dumps(body))
    inside = copy
    for name in at[:-1]:
        inside = inside[name]
    inside[at[-1]] = value
    return copy


def require_unbroken(answer: TestResponse) -> None:
    """Require success, or a refusal that is a problem."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.content_type == "application/problem+json"
        problem: Any = answer.json
        assert problem["status"] == answer.status_code
        assert bool(problem.get("errors")) == (answer.status_code == 422)


def require_named(answer: TestResponse, at: tuple[Any, ...]) -> None:
    """Require a refusal that names the field, as far as the way to it is named."""
    problem: Any = answer.json
    assert answer.status_code == 422, answer.text
    errors = problem["errors"]
    for name in at:
        if isinstance(errors, list):
            return
        assert set(errors) == {str(name)}, (at, problem)
        errors = errors[str(name)]


def test_every_route_with_a_body_is_tried() -> None:
    """There are nine of them until the usage of a plan can be reported."""
    assert len(TAKING) >= 9


@each
@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[", b'{"a"', b"nul", b"{'a': 1}", b'{"a": 1,}', b"{} {}", b"\xff\xfe\x00", b'{"a": "\xff"}', b"\0"),
        *(b'{"a": NaN}', b'{"a": Infinity}', b'{"a": [-Infinity]}', b'{"a": 1e}', b"9" * 5000, b'{"a": ' + b"9" * 5000),
        *(b"[]", b'"text"', b"1", b"null", b"true", b"[{}]", b" "),
    ],
)
def test_what_is_no_json_object_is_refused(doors: Doors, one: SubUser, route: Route, body: bytes) -> None:
    """400, NaN and the infinities among it, which JSON does not have."""
    answer = send(doors, route, one, data=body, content_type=JSON)
    require_problem(answer, 400, "malformed-body")


@each
def test_numbers_of_thousands_of_digits_are_refused(doors: Doors, one: SubUser, route: Route) -> None:
    """400: to read them would take time that grows with their square."""
    answer = send(doors, route, one, data=b'{"a": ' + b"9" * 100_000 + b"}", content_type=JSON)
    require_problem(answer, 400, "malformed-body")


@each
@pytest.mark.parametrize("levels", [500, 990, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_json_is_refused(
    doors: Doors, one: SubUser, route: Route, levels: int, opening: str, closing: str
) -> None:
    """Wherever it is: at the top, in a field that is unknown, in each that is known."""
    deep = opening * levels + "1" + closing * levels
    good = body_of(route, one)
    bodies = [deep, f'{{"unknown": {deep}}}']
    bodies += [json.dumps(put(good, at, "HERE")).replace('"HERE"', deep) for at in places(good)]
    for body in bodies:
        answer = send(doors, route, one, data=body, content_type=JSON)
        assert answer.status_code in {400, 422}, answer.text
        require_unbroken(answer)


@each
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
def test_what_does_not_say_that_it_is_json_is_refused(
    doors: Doors, one: SubUser, route: Route, content_type: str | None
) -> None:
    """415, though the body be right."""
    body = json.dumps(body_of(route, one)).encode()
    answer = send(doors, route, one, data=body, content_type=content_type)
    require_problem(answer, 415, "unsupported-media-type")


@each
def test_ten_megabytes_are_refused(doors: Doors, one: SubUser, route: Route) -> None:
    """413, before they are read, whether the length is told or not."""
    body = json.dumps(put(body_of(route, one), ("unknown",), "x" * TEN_MEGABYTES)).encode()
    require_problem(send(doors, route, one, data=body, content_type=JSON), 413, "content-too-large")
    unread = io.BytesIO(body)
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = send(doors, route, one, input_stream=unread, content_type=JSON, environ_overrides=environ)
    require_problem(answer, 413, "content-too-large")
    assert unread.tell() <= 2 * LARGEST_BODY


@each
@pytest.mark.parametrize("name", ["unknown", "Email", "email ", "", "\0", "\ud800", "a\r\nb", "__class__", "x" * 5000])
def test_unknown_fields_are_refused(doors: Doors, one: SubUser, route: Route, name: str) -> None:
    """422 naming it: a misspelled field must not pass for one that was taken."""
    answer = send(doors, route, one, json=put(body_of(route, one), (name,), "value"))
    problem: Any = answer.json
    assert answer.status_code == 422
    assert list(problem["errors"]) == [name[:100].replace("\ud800", "\\ud800")]
    problem["detail"].encode()


@each
@pytest.mark.parametrize("text", CONTROL + SEPARATORS, ids=ascii)
def test_control_characters_are_refused_or_harmless(doors: Doors, one: SubUser, route: Route, text: str) -> None:
    """422 naming the field for what would be kept or mailed; what is only compared is wrong, and a choice no choice."""
    good = body_of(route, one)
    for at in places(good):
        answer = send(doors, route, one, json=put(good, at, text))
        require_unbroken(answer)
        if at[-1] not in COMPARED and "details" not in at:
            require_named(answer, at)


@each
@pytest.mark.parametrize("value", WRONG_TYPES, ids=lambda value: repr(value)[:20])
def test_values_of_another_type_are_refused(doors: Doors, one: SubUser, route: Route, value: Any) -> None:
    """422 naming the field, unless the value is right there, as null is for what may be absent."""
    good = body_of(route, one)
    for at in places(good):
        if "details" in at or value in RIGHT_TYPES.get(at[-1], ()):
            continue
        answer = send(doors, route, one, json=put(good, at, value))
        require_unbroken(answer)
        if value is not None and not (value is True and at[-1] == "active"):
            require_named(answer, at)


@each
def test_endless_text_is_refused(doors: Doors, one: SubUser, route: Route) -> None:
    """422 naming the field, for a megabyte in any of them."""
    good = body_of(route, one)
    for at in places(good):
        answer = send(doors, route, one, json=put(good, at, "x" * 1024 * 1024))
        require_named(answer, at)


@each
def test_an_absent_body_is_refused(doors: Doors, one: SubUser, route: Route) -> None:
    """400, whatever it says of its type: one that got lost must not pass for a change of nothing."""
    require_problem(send(doors, route, one), 400, "malformed-body")
    require_problem(send(doors, route, one, data=b"", content_type=JSON), 400, "malformed-body")


@each
def test_an_empty_object_lacks_what_is_needed(doors: Doors, one: SubUser, route: Route) -> None:
    """422 naming it; where nothing is needed nothing is done."""
    answer = send(doors, route, one, json={})
    if route.method == "PATCH":
        assert answer.status_code == 200
        assert "Event-Position" not in answer.headers
    else:
        assert answer.status_code == 422
        assert answer.json["errors"]  # type: ignore[index]


@pytest.mark.parametrize(
    "email",
    [
        *(
            "",
            " ",
            "@",
            "grace",
            "grace@",
            "@company.example",
            "grace@company",
            "grace@@company.example",
            "a@b@c.example",
        ),
        *("grace@company..example", ".grace@company.example", "grace.@company.example", "gr ace@company.example"),
        *("grace@[192.0.2.1]", '"grace"@company.example', "grace@192.0.2.1", "Grace <grace@company.example>"),
        *("grace@company.example\r\nBcc: x@y.example", "grace@company.example,x@y.example", "grace@-company.example"),
        *(
            "gr\u0430ce@company.example",
            "\uff47race@company.example",
            "gra\u200bce@company.example",
            "gräce@company.example",
        ),
        *("grace@localhost", "grace@company.local", f"{'x' * 65}@company.example", f"grace@{'x.' * 130}example"),
        *(
            "grace(comment)@company.example",
            "grace@company.example\0",
            "grace@\ud800.example",
            "grace@company.example.",
        ),
    ],
    ids=ascii,
)
def test_what_is_no_address_or_looks_like_another_is_refused(doors: Doors, one: SubUser, email: str) -> None:
    """422 naming it, for an account's and for a sub-user's; letters of other scripts, wide ones and hidden ones too."""
    body = {"email": email, "name": "Grace", "surname": "Hopper"}
    require_problem(doors.portal.post(f"{one.account.path}/sub-users", json=body), 422, "invalid-input", "email")
    require_problem(doors.portal.patch(one.account.path, json={"email": email}), 422, "invalid-input", "email")
    body = {"email": email, "company_name": "Company"}
    require_problem(doors.portal.post("/v1/accounts", json=body), 422, "invalid-input", "email")


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("grace@c\u043empany.example", "grace@xn--cmpany-wqf.example"),
        ("grace@BÜCHER.example", "grace@xn--bcher-kva.example"),
        ("grace@\uff43ompany.example", "grace@company.example"),
    ],
)
def test_a_domain_that_looks_like_another_is_kept_in_ascii(doors: Doors, told: str, kept: str) -> None:
    """So that a Cyrillic o is seen for what it is, and a wide letter is the plain one."""
    account = doors.account()
    assert account.let_in(email=told).shown()["email"] == kept


@pytest.mark.parametrize(
    "text", ["  Grace  ", "Gra\u0301ce", "<script>alert(1)</script>", "Robert'); --", "🦤 👩‍👩‍👧", "%s{0}"]
)
def test_names_are_kept_as_they_were_meant(doors: Doors, text: str) -> None:
    """Without the space around them, composed, and otherwise as they came: nothing is cut out, nothing is run."""
    kept = {"  Grace  ": "Grace", "Gra\u0301ce": "Gr\xe1ce"}.get(text, text)
    one = doors.account().let_in(name=text, surname=text)
    assert (one.shown()["name"], one.shown()["surname"]) == (kept, kept)
