"""Deprecated names of requests, responses and problems. The cases are the entries of `api/deprecated_names.py`."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from flask import Flask
from hypothesis import given, settings
from marshmallow import ValidationError

from api.deprecated_names import DeprecatedName, Kind, deprecated_names
from api.http.deprecation import RequestSchema
from api.http.openapi.document import ENUMS
from api.http.openapi.problem_types import PROBLEM_CODES
from api.http.problems import Problem, problem_response
from tests.api.clients import require_problem
from tests.api.json_values import values_in
from tests.api.response_results import response_bodies, results_of, subclasses
from tests.api.route_table import Route, routes

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import ApiClients

    Document = dict[str, Any]

ENUM_MEMBERS = [member for members in ENUMS.values() for member in members]
BODY_VALUES: list[Any] = [False, True, 1, 2, "a", "b", *ENUM_MEMBERS, *([member] for member in ENUM_MEMBERS)]
QUERY_VALUES = ["false", "true", "1", "2", *ENUM_MEMBERS]
"""Values of which every field accepts at least two."""

pytestmark = pytest.mark.usefixtures("finite_event_streams")


def each(*kinds: Kind, replaced: bool = False) -> pytest.MarkDecorator:
    """Run a test for each deprecated name of these kinds; with `replaced` only for those with a replacement."""
    names = [name for name in deprecated_names(*kinds) if name.replacement or not replaced]
    return pytest.mark.parametrize("deprecated", names, ids=lambda name: f"{name.name} of {name.schema or name.kind}")


@pytest.fixture(scope="module")
def document(clients: ApiClients) -> Document:
    document: Document = clients.anonymous.get("/openapi.json").json  # type: ignore[assignment]
    return document


class DeprecatedInput:
    """Values of a deprecated request field or query parameter and of its replacement, and a route that has them."""

    def __init__(self, document: Document, deprecated: DeprecatedName) -> None:
        (schema,) = {schema for schema in subclasses(RequestSchema) if schema.__name__ == deprecated.schema}
        self.deprecated, self.schema = deprecated, schema()
        self._is_in_query = deprecated.kind is Kind.QUERY_PARAMETER
        self.route = self._route(document)
        field = self.schema.fields[deprecated.name]
        self.value = next(self._valid(field))
        self.same_value = field.deserialize(self.value) if deprecated.has_own_type else self.value
        if deprecated.replacement is not None:
            replacement = self.schema.fields[deprecated.replacement]
            self.other_value = next(value for value in self._valid(replacement) if value != self.same_value)

    def arguments(self, **values: Any) -> dict[str, Any]:
        """Return a request of the route with these values, as arguments of a client."""
        if self._is_in_query:
            return {"query_string": values}
        names = {self.deprecated.name, self.deprecated.replacement}
        others = {name: value for name, value in self._example.items() if name not in names}
        return {"json": {**others, **values}}

    def send(self, clients: ApiClients, **values: Any) -> TestResponse:
        """Send a request with these values about an account that does not exist."""
        client = clients.with_scope(min(self.route.scopes or ())).with_deprecated_names()
        return client.request(self.route.method, self.route.path(), **self.arguments(**values))

    @property
    def _example(self) -> dict[str, Any]:
        """The object in the example of the route's body that has the replacement."""
        return next(
            part
            for part in values_in(self.route.body)
            if isinstance(part, dict) and self.deprecated.replacement in part
        )

    def _route(self, document: Document) -> Route:
        for route in routes():
            operation = document["paths"].get(route.documented_path, {}).get(route.method.lower(), {})
            if self._is_in_query and self.deprecated.name in route.query:
                return route
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            reference = content.get("schema", {}).get("$ref", "")
            forms = document["components"]["schemas"].get(reference.rpartition("/")[2], {}).get("oneOf", ())
            if f"#/components/schemas/{self.deprecated.schema}" in {reference, *(form["$ref"] for form in forms)}:
                return route
        raise AssertionError(self.deprecated)

    def _valid(self, field: Any) -> Any:
        """Yield the values that a field accepts."""
        for value in QUERY_VALUES if self._is_in_query else BODY_VALUES:
            try:
                field.deserialize(value)
            except ValidationError:
                continue
            yield value


@pytest.fixture
def given_input(document: Document, deprecated: DeprecatedName) -> DeprecatedInput:
    return DeprecatedInput(document, deprecated)


INPUTS = (Kind.REQUEST_FIELD, Kind.QUERY_PARAMETER)


@each(*INPUTS, replaced=True)
def test_deprecated_name_counts_as_its_replacement(given_input: DeprecatedInput, deprecated: DeprecatedName) -> None:
    """Both together are accepted with the same value."""
    old, new = {deprecated.name: given_input.value}, {str(deprecated.replacement): given_input.same_value}
    loaded = [
        given_input.schema.load(next(iter(given_input.arguments(**values).values())))
        for values in (old, new, old | new)
    ]
    assert loaded[0] == loaded[1] == loaded[2]
    assert deprecated.name not in loaded[0]


@each(*INPUTS, replaced=True)
def test_different_values_are_refused(
    clients: ApiClients, given_input: DeprecatedInput, deprecated: DeprecatedName
) -> None:
    values = {deprecated.name: given_input.value, str(deprecated.replacement): given_input.other_value}
    response = given_input.send(clients, **values)
    problem = require_problem(response, 422, "invalid-input", deprecated.name)
    assert problem["errors"][deprecated.name] == [f"must equal {deprecated.replacement}, which replaces it"]


@each(*INPUTS, replaced=True)
def test_invalid_value_is_reported_under_the_name_that_was_sent(
    clients: ApiClients, given_input: DeprecatedInput, deprecated: DeprecatedName
) -> None:
    invalid_value = "\0" if deprecated.kind is Kind.QUERY_PARAMETER else {"a": "b"}
    for name in (deprecated.name, str(deprecated.replacement)):
        require_problem(given_input.send(clients, **{name: invalid_value}), 422, "invalid-input", name)


@each(*INPUTS)
def test_only_requests_with_deprecated_names_get_the_headers(
    clients: ApiClients, given_input: DeprecatedInput, deprecated: DeprecatedName
) -> None:
    """2026-12-01 is 1796083200 in Unix time (RFC 9745, 2.1). The link leads to the documentation page."""
    response = given_input.send(clients, **{deprecated.name: given_input.value})
    assert response.headers.getlist("Deprecation") == ["@1796083200"]
    assert response.headers["Link"] == '</docs>; rel="deprecation"; type="text/html"'
    assert clients.anonymous.get("/docs").content_type.startswith("text/html")
    values = {} if deprecated.replacement is None else {deprecated.replacement: given_input.same_value}
    response = given_input.send(clients, **values)
    assert {"Deprecation", "Link"} & set(response.headers.keys()) == set()


@each(Kind.RESPONSE_FIELD)
def test_responses_have_both_names(deprecated: DeprecatedName) -> None:
    (body,) = (body for body in response_bodies() if body.__name__ == deprecated.schema)
    schema = body()
    field: Any = schema.fields[deprecated.name]

    @settings(max_examples=20)
    @given(results_of(schema))
    def check(result: Any) -> None:
        values = json.loads(schema.to_json(result))
        value = values[deprecated.replacement]
        assert values[deprecated.name] == (field.to_json_value(value) if deprecated.has_own_type else value)

    check()


@each(Kind.PROBLEM_TYPE)
def test_problems_have_their_previous_type(deprecated: DeprecatedName) -> None:
    assert deprecated.replacement in PROBLEM_CODES
    assert deprecated.name not in PROBLEM_CODES
    with Flask("test").app_context():
        response = problem_response(Problem(HTTPStatus.CONFLICT, str(deprecated.replacement), "x"))
    problem = json.loads(response.data)
    assert problem["type"] == f"urn:subusers:problem:{deprecated.replacement}"
    assert problem["previous_type"] == f"urn:subusers:problem:{deprecated.name}"


def operations(document: Document) -> dict[str, Any]:
    """Return the operations by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }


def documented(document: Document) -> dict[tuple[str, str], str]:
    """Return the descriptions of all deprecated fields and parameters, by schema or "query" and by name."""
    fields = {
        (schema, name): field
        for schema, definition in document["components"]["schemas"].items()
        for name, field in definition.get("properties", {}).items()
    }
    parameters = {
        ("query", parameter["name"]): parameter
        for operation in operations(document).values()
        for parameter in operation["parameters"]
    }
    return {key: part["description"] for key, part in (fields | parameters).items() if part.get("deprecated")}


def test_document_marks_exactly_the_names_of_the_table(document: Document) -> None:
    """Schemas inherit deprecated fields, so that a body can have those of several schemas."""
    kinds = (*INPUTS, Kind.RESPONSE_FIELD)
    names = {
        ("query" if name.kind is Kind.QUERY_PARAMETER else name.schema, name.name): name
        for name in deprecated_names(*kinds)
    }
    inherited = {("CreatedWebhookAnswer", name) for schema, name in names if schema == "WebhookAnswer"}
    descriptions = documented(document)
    assert set(descriptions) == {*names, *inherited, ("Problem", "previous_type")}
    for key, name in names.items():
        instruction = f"Deprecated. Use `{name.replacement}` instead." if name.replacement else "Deprecated."
        assert descriptions[key].startswith(instruction)


@each(*Kind)
def test_document_lists_the_names(document: Document, deprecated: DeprecatedName) -> None:
    """Except settings, which clients do not have."""
    listed = f"| `{deprecated.name}` |" in document["info"]["description"]
    assert listed == (deprecated.kind is not Kind.SETTING)


@each(Kind.REQUEST_FIELD)
def test_document_allows_either_name(
    document: Document, given_input: DeprecatedInput, deprecated: DeprecatedName
) -> None:
    """The document also says whether a request may have neither."""
    schema = {**document["components"]["schemas"][deprecated.schema], "components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(schema)
    old, new = {deprecated.name: given_input.value}, {str(deprecated.replacement): given_input.same_value}
    assert validator.is_valid(given_input.arguments(**old)["json"])
    assert validator.is_valid(given_input.arguments(**new)["json"])
    assert not validator.is_valid(given_input.arguments(**old, **new)["json"])
    without_either = given_input.arguments()["json"]
    is_accepted = not given_input.schema.validate(without_either)
    assert validator.is_valid(without_either) == is_accepted


def test_operations_with_deprecated_names_document_the_headers(document: Document) -> None:
    """No others do."""
    query_names = {deprecated.name for deprecated in deprecated_names(Kind.QUERY_PARAMETER)}
    expected = {str(route) for route in routes() if query_names & set(route.query)}
    expected |= {str(DeprecatedInput(document, deprecated).route) for deprecated in deprecated_names(*INPUTS)}
    with_headers = {
        name
        for name, operation in operations(document).items()
        if all({"Deprecation", "Link"} <= set(response["headers"]) for response in operation["responses"].values())
    }
    assert with_headers == expected
