"""OpenAPI document: valid, complete, and consistent with the routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import schemathesis

from api.http.authentication import PUBLIC
from api.http.openapi.document import ENUMS
from api.http.openapi.problem_types import PROBLEM_CODES, PROBLEM_TYPES
from api.server import refusals as server_refusals
from projections.feed.event_catalog import BY_TYPE
from tests.api.json_values import values_in
from tests.api.route_table import Route, routes
from tests.problem_codes import problem_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.clients import ApiClients

NOT_FOR_CLIENTS = ("/docs", "/openapi.json", "/asyncapi.json", "/schemas/", "/metrics")
"""Beginnings of the paths of public routes that generated clients do not need."""

API_ROUTES = [route for route in routes() if route.audiences is None and not route.rule.startswith(NOT_FOR_CLIENTS)]
"""All routes that the document describes."""

VERBS_BY_METHOD = {
    "GET": {"get", "list", "export", "stream"},
    "POST": {
        *("create", "record", "send", "introspect", "log_in", "enable", "adopt", "replay", "grant", "confirm", "undo"),
        *("request", "complete", "evaluate", "search", "verify"),
    },
    "PUT": {"change", "replace"},
    "PATCH": {"change"},
    "DELETE": {"delete", "close", "end", "log_out", "revoke"},
}
"""First words of operation ids by method."""

NOT_SECRET = {
    *("token_type", "next_token"),
    *("llm_tokens", "included_tokens", "used_tokens"),
    *("must_change_password", "temporary_password_expires_at", "sub_user_password_reset"),
}
"""Fields named after other tokens than those of sessions, or about a password without containing it."""


@pytest.fixture(scope="module")
def document(clients: ApiClients) -> dict[str, Any]:
    response = clients.anonymous.get("/openapi.json")
    assert (response.status_code, response.content_type) == (200, "application/json")
    document: dict[str, Any] = response.json  # type: ignore[assignment]
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", operation


def references_in(value: Any) -> set[str]:
    """Return the targets of all references nested in a value."""
    return {part["$ref"] for part in values_in(value) if isinstance(part, dict) and "$ref" in part}


def validate(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    full_schema = {**schema, "components": document["components"]}
    jsonschema_rs.Draft202012Validator(full_schema, validate_formats=True).validate(value)


def response_schemas(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the schemas of all response bodies by name, including nested ones."""
    schemas: dict[str, dict[str, Any]] = {}
    responses = [operation["responses"] for _, operation in operations(document)]
    pending = references_in(responses)
    while pending:
        _, _, kind, name = pending.pop().split("/")
        if kind == "schemas" and name not in schemas:
            schemas[name] = document["components"]["schemas"][name]
            pending |= references_in(schemas[name])
    return schemas


def test_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()


def test_document_has_exactly_the_api_routes(document: dict[str, Any]) -> None:
    """Each has its scopes, and a security requirement unless it is public."""
    documented = {name: (operation["security"], set(operation["x-scopes"])) for name, operation in operations(document)}
    expected: dict[str, tuple[list[Any], set[Any]]] = {
        str(route): ([{"apiKey": []}] if route.scopes != PUBLIC else [], set(route.scopes or ()))
        for route in API_ROUTES
    }
    expected["POST /oauth2/introspect"][0].append({"apiKeyAsPassword": []})
    assert documented == expected


def test_operation_ids_and_summaries_are_unique(document: dict[str, Any]) -> None:
    """Generated clients name their methods after the operation ids."""
    names = [operation["operationId"] for _, operation in operations(document)]
    summaries = [operation["summary"] for _, operation in operations(document)]
    assert len(set(names)) == len(set(summaries)) == len(API_ROUTES)


def test_operation_ids_begin_with_the_verbs_of_their_methods(document: dict[str, Any]) -> None:
    for route, operation in operations(document):
        verbs = tuple(VERBS_BY_METHOD[route.split()[0]])
        assert f"{operation['operationId']}_".startswith(tuple(f"{verb}_" for verb in verbs)), route


def test_paths_are_relative_to_the_service(document: dict[str, Any], clients: ApiClients) -> None:
    public_url = clients.service.settings.public_url
    assert [server["url"] for server in document["servers"]] == [public_url, "."]


def test_enumerations_are_shared_and_closed(document: dict[str, Any]) -> None:
    """Generators name an inlined enumeration by its field, once for each place. Each is a component of its own."""
    shared = {name for name, schema in document["components"]["schemas"].items() if "enum" in schema}
    assert shared == set(ENUMS)
    for name in shared:
        assert document["components"]["schemas"][name] == {"type": "string", "enum": list(ENUMS[name])}
    assert len([part for part in values_in(document) if isinstance(part, dict) and "enum" in part]) == len(ENUMS)


def test_schemas_have_the_shapes_that_generators_take(document: dict[str, Any]) -> None:
    """None is a boolean or has the default null, and fields of bodies have no default: it would make them required."""
    for part in values_in(document):
        if not isinstance(part, dict):
            continue
        if isinstance(properties := part.get("properties"), dict):
            for name, field in properties.items():
                assert isinstance(field, dict), name
                assert "default" not in field, name
        assert part.get("default", "") is not None


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    """Requests and successful responses have one of their own; the schema of problems has one for all."""
    assert document["components"]["schemas"]["Problem"]["examples"]
    for route, operation in operations(document):
        (success,) = (response for status, response in operation["responses"].items() if status.startswith("2"))
        assert ("content" in success) == ("204" not in operation["responses"]), route
        for content in (operation.get("requestBody", {}).get("content", {}), success.get("content", {})):
            for media_type, description in content.items():
                assert "examples" in description, (route, media_type)
                validate(document, description["schema"], description["examples"]["Example"]["value"])


def test_list_of_problem_types_is_complete(document: dict[str, Any]) -> None:
    """It has exactly the types that the code can answer."""
    by_server = {value.code for value in vars(server_refusals).values() if isinstance(value, server_refusals.Refusal)}
    in_call = {"too-many-attempts"}
    by_status = {"not-found", "method-not-allowed", "content-too-large", "bad-request"}
    assert set(PROBLEM_CODES) == {*problem_codes(), *by_server, *in_call, *by_status}
    assert list(PROBLEM_CODES) == sorted(set(PROBLEM_CODES))
    assert document["components"]["schemas"]["ProblemType"]["enum"] == list(PROBLEM_TYPES)


def test_webhooks_describe_every_published_event(document: dict[str, Any]) -> None:
    webhooks = document["components"]["pathItems"]
    assert document["webhooks"] == {name: {"$ref": f"#/components/pathItems/{name}"} for name in BY_TYPE}
    assert set(webhooks) == set(BY_TYPE)
    for event_type, webhook in webhooks.items():
        ((media_type, content),) = webhook["post"]["requestBody"]["content"].items()
        assert media_type == "application/cloudevents+json"
        _, _, schema_name = content["schema"]["$ref"].rpartition("/")
        assert document["components"]["schemas"][schema_name]["properties"]["type"] == {"const": event_type}
    response = document["paths"]["/v1/events"]["get"]["responses"]["200"]
    (event,) = response["content"]["application/json"]["examples"]["Example"]["value"]["items"]
    webhook = webhooks[event["type"]]
    validate(document, webhook["post"]["requestBody"]["content"]["application/cloudevents+json"]["schema"], event)


def test_references_and_components_match(document: dict[str, Any]) -> None:
    """Every reference resolves, and every component is referenced."""
    components = {
        f"#/components/{kind}/{name}"
        for kind, components_of_kind in document["components"].items()
        for name in components_of_kind
        if kind != "securitySchemes"
    }
    assert references_in(document) == components


def test_schemas_examples_and_defaults_are_valid(document: dict[str, Any]) -> None:
    """Schemas are JSON Schema 2020-12, with formats. Examples and defaults match their schemas."""
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate(schema)
        full_schema = {**schema, "components": document["components"]}
        validator = jsonschema_rs.Draft202012Validator(full_schema, validate_formats=True)
        for example in schema.get("examples", []):
            validator.validate(example)
        for field, part in schema.get("properties", {}).items():
            field_validator = jsonschema_rs.Draft202012Validator({**part, "components": document["components"]})
            assert "default" not in part or field_validator.is_valid(part["default"]), (name, field)


@pytest.mark.parametrize("route", API_ROUTES, ids=str)
def test_responses_are_documented(document: dict[str, Any], route: Route) -> None:
    """Each has a request id; errors are problems; 429 and 503 have Retry-After. AuthZEN has 400 for bad requests."""
    operation = document["paths"][route.documented_path][route.method.lower()]
    responses = operation["responses"]
    assert len([status for status in responses if status.startswith("2")]) == 1
    is_authzen = route.rule.startswith("/access/v1/")
    if route.scopes:
        assert {"400", "401", "403", "503"} <= set(responses)
        assert ("422" in responses) != is_authzen
    for status, response in responses.items():
        assert "X-Request-Id" in response["headers"]
        assert ("Retry-After" in response["headers"]) == (status in {"429", "503"})
        if not status.startswith("2"):
            assert response["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
    assert ("requestBody" in operation) == ("413" in responses and ("415" in responses) != is_authzen)


def test_document_does_not_depend_on_requests(clients: ApiClients, document: dict[str, Any]) -> None:
    """Host, scheme and path prefix of a request do not change it."""
    response = clients.anonymous.get("/openapi.json", base_url="https://other.example:8443/prefix")
    assert response.request.url == "https://other.example:8443/prefix/openapi.json"
    assert response.data == clients.anonymous.get("/openapi.json").data
    assert response.json == document


def test_only_new_sessions_and_new_secrets_are_returned(document: dict[str, Any]) -> None:
    """No other response has a secret, and none has a password."""
    secret_fields = {
        (schema_name, name)
        for schema_name, schema in response_schemas(document).items()
        for name in schema.get("properties", {})
        if re.search("password|token|secret", name) and name not in NOT_SECRET
    }
    assert secret_fields == {
        ("OpenedSessionAnswer", "token"),
        ("CreatedWebhookAnswer", "secret"),
        ("WebhookKeyAnswer", "secret"),
        ("TotpOfferAnswer", "secret"),
    }
