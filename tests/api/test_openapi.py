"""The OpenAPI document: well-formed, complete, and of use to whoever reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import schemathesis

from api.http.doors import PUBLIC
from tests.api.route_table import Route, routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.callers import Doors

DOCUMENTED = [route for route in routes() if route.audience is None and not route.rule.startswith("/docs/")]
"""All but the pages of the console, which are for people, and the files of the documentation's own page."""


@pytest.fixture(scope="module")
def document(doors: Doors) -> dict[str, Any]:
    answer = doors.stranger.get("/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    document: dict[str, Any] = answer.json  # type: ignore[assignment]
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", operation


def inside(value: Any) -> Iterator[Any]:
    """Return everything that there is in a value."""
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from inside(part)


def test_the_document_is_one_of_openapi_3_1(document: dict[str, Any]) -> None:
    """Valid by the specification's own schema, as Schemathesis has it."""
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()


def test_every_route_is_in_the_document_and_nothing_else(document: dict[str, Any]) -> None:
    """With the scopes that it opens to, and a security requirement unless it opens to all."""
    documented = {name: (operation["security"], set(operation["x-scopes"])) for name, operation in operations(document)}
    assert documented == {
        str(route): ([{"apiKey": []}] if route.scopes != PUBLIC else [], set(route.scopes or ()))
        for route in DOCUMENTED
    }


def test_every_operation_has_a_name_and_a_summary_of_its_own(document: dict[str, Any]) -> None:
    """By which generated clients call it, and people find it."""
    names = [operation["operationId"] for _, operation in operations(document)]
    summaries = [operation["summary"] for _, operation in operations(document)]
    assert len(set(names)) == len(set(summaries)) == len(DOCUMENTED)


def test_every_reference_leads_somewhere_and_nothing_is_left_over(document: dict[str, Any]) -> None:
    """To a component, each of which something refers to."""
    components = {
        f"#/components/{kind}/{name}"
        for kind, some in document["components"].items()
        for name in some
        if kind != "securitySchemes"
    }
    assert {part["$ref"] for part in inside(document) if isinstance(part, dict) and "$ref" in part} == components


def test_every_schema_is_a_schema(document: dict[str, Any]) -> None:
    """Of JSON Schema 2020-12, whose patterns can be compiled and whose defaults and examples are valid by it."""
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate(schema)
        whole = {**schema, "components": document["components"]}
        validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        for example in schema.get("examples", []):
            validator.validate(example)
        for field, part in schema.get("properties", {}).items():
            its_own = jsonschema_rs.Draft202012Validator({**part, "components": document["components"]})
            assert "default" not in part or its_own.is_valid(part["default"]), (name, field)


@pytest.mark.parametrize("route", DOCUMENTED, ids=str)
def test_every_answer_is_documented_with_its_form(document: dict[str, Any], route: Route) -> None:
    """A request id in each; problems as problems; when to try again; what kind of key is needed."""
    operation = document["paths"][route.documented_path][route.method.lower()]
    answers = operation["responses"]
    assert len([status for status in answers if status.startswith("2")]) == 1
    if route.scopes:
        assert {"400", "401", "403", "422", "503"} <= set(answers)
    for status, answer in answers.items():
        assert "X-Request-Id" in answer["headers"]
        assert ("Retry-After" in answer["headers"]) == (status in {"429", "503"})
        if not status.startswith("2"):
            assert answer["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
    assert ("requestBody" in operation) == ("413" in answers and "415" in answers)


def test_the_document_is_the_same_whatever_was_asked_before(doors: Doors, document: dict[str, Any]) -> None:
    """It is made once, and an application made later makes the same."""
    assert doors.stranger.get("/openapi.json").json == document
    assert json.loads(doors.app.extensions["subusers-openapi"]) == document


def test_no_field_for_a_secret_is_ever_answered(document: dict[str, Any]) -> None:
    """No answer's schema has a password; a token only where a session is opened."""
    for name, schema in document["components"]["schemas"].items():
        if name.endswith(("Answer", "Row")) and name != "ActivityRow":
            secret = {field for field in schema["properties"] if "password" in field or "token" in field}
            secret -= {"llm_tokens", "included_tokens", "used_tokens"}  # of another kind: what language models count in
            assert secret <= ({"token"} if name == "OpenedSessionAnswer" else set()) | {"must_change_password"}
