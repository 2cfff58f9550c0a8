"""The OpenAPI document: what apispec derives from the routes, completed and put into a shape that generators take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from api.http.asyncapi import event_schemas
from api.http.deprecation import DEPRECATION_HEADERS
from api.http.openapi.deprecations import (
    accepts_deprecated_names,
    deprecated_names_table,
    describe_deprecated_fields,
    require_one_of,
)
from api.http.openapi.examples import (
    CHECKPOINT_EXAMPLE,
    CSV_EXAMPLE,
    EXAMPLES,
    LINES_EXAMPLE,
    RESPONSE_EXAMPLES,
    STREAM_EXAMPLE,
)
from api.http.openapi.problem_types import PROBLEM_TYPES
from api.http.resources.accounts.schemas import LANGUAGES, LINK_LEVELS
from api.http.resources.authzen.schemas import EvaluationsSemantic
from api.http.resources.exports.lines import ExportFormat
from application.commands.activity_types import ActivityEffect
from application.commands.api_keys import Scope
from application.commands.webhooks import DisableReason, SignatureAlgorithm
from application.ports.broker import CONTENT_TYPE
from domain.access_decision import Missing
from domain.assurance_level import AssuranceLevel
from domain.event_metadata import ActorType
from domain.roles import BUILT_IN_ROLES
from domain.second_factor import SecondFactorKind, SecondFactorPolicy
from domain.sub_user import AccessStatus, CredentialsKind, CredentialsMailState
from projections.feed.event_catalog import BY_TYPE, CATALOG, Envelopes
from projections.sub_users.queries import Sort
from projections.usage.queries import VISIBILITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


DESCRIPTION = f"""\
API for the main accounts of a portal, their sub-users, and the history of their actions.

A response to a command has the header `Event-Position`: the position of its events in the history. Reads are never
stale: they include every change whose response was sent before the read started. Errors are RFC 9457 problems with a
stable `type`; see the schema `Problem`.

[/asyncapi.json](asyncapi.json) describes the events in the feed, in the stream and on a message broker, and
[/schemas/](schemas/) lists their JSON Schemas.

With a `portal` key, send the headers `X-Client-IP`, `X-Client-User-Agent` and `X-Request-Id` to identify the person for
whom the portal makes the request. With other keys they are ignored. With a `portal` or `support` key, `X-Actor` names
the person at the portal who sends a command, and `X-Reason` says why.

To try out requests on this page, enter an API key under *Authentication*. The page does not store the key.

## Deprecated names

Requests may have deprecated names, and responses have both names, for one minor version. Later versions will only have
the new names. A response to a request with a deprecated name has the headers `Deprecation` (RFC 9745) and `Link`.

{deprecated_names_table()}
"""

INFO = {
    "description": DESCRIPTION,
    "license": {"name": "MIT", "identifier": "MIT"},
}

KEY_DESCRIPTION = "An API key, created with `subusers api-key create`. Its scope decides which routes it may use."
PASSWORD_DESCRIPTION = "The same API key as password, with any user name, as OAuth clients send it."

AMOUNTS = ("conversation_ms", "conversation_minutes", "llm_tokens")
"""Fields of a usage report, at least one of which is required."""

METHODS = ("get", "post", "put", "patch", "delete")

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "required": True,
        "description": "Id of the request in logs and in the history.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"},
    },
    "Repeated-Request-Id": {
        "required": True,
        "description": "`X-Request-Id` of the request, unchanged, as AuthZEN demands; without one, a generated id.",
        "schema": {"type": "string"},
    },
    "Event-Position": {
        "description": "Position of the recorded event in the history. Absent if the request changed nothing.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Store-Epoch": {
        "description": "Epoch of the store to which the positions belong. A restore or a failover begins a new epoch.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "Location": {
        "required": True,
        "description": "URL of the new resource.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {
        "required": True,
        "description": "Revision of the sub-user, permission catalogue or activity types, for `If-Match`.",
        "schema": {"type": "string", "pattern": '^"[0-9]{1,18}"$'},
    },
    "Export-Cursor": {
        "required": True,
        "description": "Value for `cursor` to resume an interrupted export.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    },
    "WWW-Authenticate": {
        "description": "What is wrong: with the scheme `Bearer` or `Basic` the API key, with `Password` the sub-user's "
        "login, with `Session` their session.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "required": True,
        "description": "Seconds to wait before a retry.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Deprecation": {
        "description": "When the deprecated name in the request was deprecated (RFC 9745). Absent without such a name.",
        "schema": {"type": "string", "pattern": "^@[0-9]+$"},
    },
    "Link": {
        "description": "With `Deprecation`: link of type `deprecation` to the list of deprecated names.",
        "schema": {"type": "string"},
    },
}
HEADERS_BY_STATUS = {"401": ["WWW-Authenticate"], "429": ["Retry-After"], "503": ["Retry-After"]}

ENUMS: dict[str, tuple[str, ...]] = {
    "AccessStatus": tuple(AccessStatus),
    "AccountStatus": ("open", "closed"),
    "ActivityEffect": tuple(ActivityEffect),
    "ActorType": tuple(ActorType),
    "AssuranceLevel": tuple(AssuranceLevel),
    "ConsoleLinkLevel": tuple(LINK_LEVELS),
    "AccessRefusal": ("account_closed", "locked", "inactive", "expired", "temporary_password_expired"),
    "ApiKeyScope": tuple(Scope),
    "CredentialsKind": tuple(CredentialsKind),
    "CredentialsMailState": tuple(CredentialsMailState),
    "EventType": tuple(BY_TYPE),
    "ExportFormat": tuple(ExportFormat),
    "BuiltInRole": tuple(BUILT_IN_ROLES.values()),
    "EvaluationsSemantic": tuple(EvaluationsSemantic),
    "Language": LANGUAGES,
    "MissingForAccess": tuple(Missing),
    "MissingForCheck": (*Missing, "session"),
    "ProblemType": PROBLEM_TYPES,
    "SecondFactorKind": tuple(SecondFactorKind),
    "SecondFactorPolicy": tuple(SecondFactorPolicy),
    "SubUserSort": tuple(f"{minus}{sort}" for sort in Sort for minus in ("", "-")),
    "SubUserStatus": ("active", "inactive"),
    "Visibility": VISIBILITIES,
    "WebhookDisableReason": tuple(DisableReason),
    "WebhookSignatureAlgorithm": tuple(SignatureAlgorithm),
    "WebhookStatus": ("active", "disabled"),
}
"""Enumerations by the names that they have in generated clients."""

NAME_BY_VALUES = {frozenset(map(str, values)): name for name, values in ENUMS.items()}

MESSAGES = {"type": "array", "items": {"type": "string"}}
FIELD_ERRORS: dict[str, Any] = {
    "type": "object",
    "description": "Messages about invalid values, by field, header or parameter. For an object or a list of "
    "objects: the same for its fields or indexes.",
    "additionalProperties": {"anyOf": [MESSAGES, {"$ref": "#/components/schemas/FieldErrors"}]},
}

ONLY_ACTIVE_SESSIONS_HAVE_FIELDS: dict[str, Any] = {
    "if": {"properties": {"active": {"const": True}}},
    "then": {"required": ["account_id", "sub_user_id", "permissions", "must_change_password", "expires_at"]},
}
"""Not a `oneOf` of active and inactive sessions: openapi-generator's Python clients refuse boolean constants."""

EVENTS_TAG = {"name": "published-events", "description": "Requests that webhooks send to your own endpoints"}

TEXT: dict[str, Any] = {"schema": {"type": "string"}}
LINES: dict[str, Any] = {"application/x-ndjson": {**TEXT, "examples": {"Example": {"value": LINES_EXAMPLE}}}}
DOWNLOAD: dict[str, Any] = {"text/csv": {**TEXT, "examples": {"Example": {"value": CSV_EXAMPLE}}}, **LINES}
OTHER_CONTENT: dict[str, dict[str, Any]] = {
    "/v1/accounts/{account_id}/audit-log": DOWNLOAD,
    "/v1/accounts/{account_id}/history": LINES,
    "/v1/accounts/{account_id}/export": DOWNLOAD,
    "/v1/audit/export": DOWNLOAD,
    "/v1/audit/checkpoints/latest": {"text/plain": {**TEXT, "examples": {"Example": {"value": CHECKPOINT_EXAMPLE}}}},
    "/v1/events/stream": {"text/event-stream": {**TEXT, "examples": {"Example": {"value": STREAM_EXAMPLE}}}},
}
"""Response content without a marshmallow schema, by path and media type."""


def complete_document(document: dict[str, Any], public_url: str) -> str:
    """Return the document as JSON, completed with the parts that apispec cannot derive.

    These are headers, examples, other media types, shared enumerations, rules across fields, and webhooks.
    flask-smorest's default errors are removed.
    """
    document["servers"] = [
        {"url": public_url, "description": "This service"},
        {"url": ".", "description": "This service, by the address of this document"},
    ]
    components = document["components"]
    _remove_undocumented(document)
    for operation in _operations(document):
        _complete_operation(operation, components["schemas"])
    for path, content in OTHER_CONTENT.items():
        document["paths"][path]["get"]["responses"]["200"].setdefault("content", {}).update(content)
    components.pop("responses", None)
    components["headers"] = HEADERS
    components["securitySchemes"]["apiKey"]["description"] = KEY_DESCRIPTION
    components["securitySchemes"]["apiKeyAsPassword"]["description"] = PASSWORD_DESCRIPTION
    _complete_schemas(components["schemas"])
    _add_webhooks(document, public_url)
    _share_enums(document)
    components["schemas"] |= {name: {"type": "string", "enum": list(values)} for name, values in ENUMS.items()}
    return json.dumps(document, ensure_ascii=False)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                yield operation


def _remove_undocumented(document: dict[str, Any]) -> None:
    """Remove the routes that are not for clients of the API, and their sections."""
    for path, methods in list(document["paths"].items()):
        for method in METHODS:
            if method in methods and not methods[method].pop("x-is-documented"):
                del methods[method]
        if not set(METHODS) & set(methods):
            del document["paths"][path]
    tags = {tag for operation in _operations(document) for tag in operation["tags"]}
    document["tags"] = [tag for tag in document["tags"] if tag["name"] in tags]


def _complete_operation(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    operation["responses"].pop("default", None)
    operation.setdefault("parameters", []).extend(operation.pop("x-headers"))
    for parameter in operation["parameters"]:
        # None marks an absent parameter, and is not a value that clients can send.
        if parameter["schema"].get("default", "") is None:
            del parameter["schema"]["default"]
    response_headers = operation.pop("x-response-headers")
    common_headers = ["X-Request-Id", *(DEPRECATION_HEADERS if accepts_deprecated_names(operation, schemas) else ())]
    for status, response in operation["responses"].items():
        names = [*common_headers, *(response_headers if status.startswith("2") else HEADERS_BY_STATUS.get(status, ()))]
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        if "authzen" in operation["tags"]:
            response["headers"]["X-Request-Id"] = {"$ref": "#/components/headers/Repeated-Request-Id"}
    contents = [response.get("content", {}) for response in operation["responses"].values()]
    for media_type in _media_types([*contents, operation.get("requestBody", {}).get("content", {})]):
        _, _, schema_name = media_type["schema"]["$ref"].rpartition("/")
        if schema_name != "Problem":
            # RapiDoc does not show a single `example` of a request that is an object.
            media_type["examples"] = {"Example": {"value": {**EXAMPLES, **RESPONSE_EXAMPLES}[schema_name]}}


def _media_types(contents: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for content in contents:
        yield from content.values()


def _complete_schemas(schemas: dict[str, Any]) -> None:
    for unused in ("Error", "PaginationMetadata"):
        schemas.pop(unused, None)
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            schema["properties"][name] = _with_default_in_words(field)
    require_one_of(schemas["UsageRow"], *AMOUNTS)
    describe_deprecated_fields(schemas)
    _split_new_usage(schemas)
    schemas["IntrospectionAnswer"] |= ONLY_ACTIVE_SESSIONS_HAVE_FIELDS
    schemas["FieldErrors"] = FIELD_ERRORS
    problem = schemas["Problem"]
    problem["properties"]["type"]["enum"] = list(PROBLEM_TYPES)
    problem["properties"]["errors"] = {"$ref": "#/components/schemas/FieldErrors"}
    problem["examples"] = [RESPONSE_EXAMPLES["Problem"]]


def _split_new_usage(schemas: dict[str, Any]) -> None:
    """Describe usage as either a list of reports or a single report."""
    reports = schemas["NewUsage"]
    schemas["UsageReports"] = {
        **reports,
        "required": ["usage"],
        "properties": {"usage": reports["properties"]["usage"]},
    }
    schemas["NewUsage"] = {
        "description": "Usage of sub-users: a list of reports, or a single report.",
        "oneOf": [{"$ref": "#/components/schemas/UsageReports"}, {"$ref": "#/components/schemas/UsageRow"}],
    }


def _with_default_in_words(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field of a body with its default in the description.

    Generators make a field with a `default` a required one, although clients may leave it out.
    """
    default = field.pop("default", None)
    if default is None:
        return field
    text = f"Default: `{default if isinstance(default, str) else json.dumps(default)}`."
    return {**field, "description": f"{field['description']} {text}" if "description" in field else text}


def _add_webhooks(document: dict[str, Any], public_url: str) -> None:
    """Describe the requests that webhooks send: one for each type of event.

    They are components: openapi-generator would make invalid Python code of webhooks that are described in place.
    """
    document["tags"].append(EVENTS_TAG)
    document["webhooks"] = {event.type: {"$ref": f"#/components/pathItems/{event.type}"} for event in CATALOG}
    document["components"]["pathItems"] = {
        event.type: {
            "post": {
                "operationId": f"receive_{event.type.replace('.', '_')}",
                "summary": event.summary,
                "description": "Sent to the URL of a webhook, with the headers of Standard Webhooks.",
                "tags": [EVENTS_TAG["name"]],
                "security": [],
                "requestBody": {
                    "required": True,
                    "content": {CONTENT_TYPE: {"schema": {"$ref": f"#/components/schemas/{event.schema_name}"}}},
                },
                "responses": {
                    "204": {"description": "Received. Every status of 200 to 299 counts."},
                    "410": {"description": "Send no more: the webhook is disabled."},
                },
            }
        }
        for event in CATALOG
    }
    document["components"]["schemas"] |= event_schemas(Envelopes(public_url))


def _share_enums(value: Any) -> None:
    """Replace the enumerations nested in a value by references to the shared ones."""
    if isinstance(value, list):
        for part in value:
            _share_enums(part)
    elif isinstance(value, dict):
        if isinstance(values := value.get("enum"), list):
            reference = {"$ref": f"#/components/schemas/{NAME_BY_VALUES[frozenset(values) - {None}]}"}
            is_nullable = None in values
            for keyword in ("enum", "type"):
                value.pop(keyword, None)
            value |= {"anyOf": [reference, {"type": "null"}]} if is_nullable else reference
        for part in value.values():
            _share_enums(part)
