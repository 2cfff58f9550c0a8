"""The OpenAPI document, and the documentation page that shows it."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Response, current_app, request
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from api.http.fields.json_values import MAX_DETAILS_DEPTH, MAX_DETAILS_LENGTH
from api.http.fields.texts import NO_NUL
from api.http.routing import Routes

DESCRIPTION = """\
API for the main accounts of a portal, their sub-users, and the history of their actions.

A response to a command has the header `Event-Position`: the position of its events in the history. Reads are never
stale: they include every change whose response was sent before the read started. Errors are RFC 9457 problems with a
stable `type`; see the schema `Problem`.

[/asyncapi.json](asyncapi.json) describes the events in the feed, in the stream and on a message broker.

With a `portal` key, send the headers `X-Client-IP`, `X-Client-User-Agent` and `X-Request-Id` to identify the person for
whom the portal makes the request. With other keys they are ignored. With a `portal` or `support` key, `X-Actor` names
the person at the portal who sends a command, and `X-Reason` says why.

To try out requests on this page, enter an API key under *Authorize*. The page does not store the key.
"""

KEY_DESCRIPTION = "An API key, created with `subusers api-key create`. Its scope decides which routes it may use."

SUB_USER_ID = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"
ACCOUNT_ID = "9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90"
EXAMPLES: dict[str, dict[str, Any]] = {
    "NewAccount": {"email": "owner@company.example", "company_name": "Company", "language": "en"},
    "AccountPatch": {"language": "it"},
    "NewLimit": {"limit": 12, "reason": "They opened a second office."},
    "NewSubUser": {"email": "grace@company.example", "name": "Grace", "surname": "Hopper"},
    "SubUserPatch": {"active": True},
    "Login": {
        "account_email": "owner@company.example",
        "email": "grace@company.example",
        "password": "the password from the mail",
    },
    "Introspection": {"token": "the token of the session", "permission": "assistants"},
    "OAuthIntrospection": {"token": "the token of the session", "token_type_hint": "access_token"},
    "OwnPassword": {"current_password": "the password from the mail", "new_password": "a phrase that is hard to guess"},
    "NewActivities": {
        "activities": [
            {
                "sub_user_id": SUB_USER_ID,
                "action": "assistant.published",
                "target": "assistant 42",
                "details": {"version": 7},
            }
        ]
    },
    "NewUsage": {"usage": [{"sub_user_id": SUB_USER_ID, "conversation_ms": 750_000, "llm_tokens": 3400}]},
    "NewPlan": {"included_minutes": 1000, "included_tokens": 2000000, "period_start": "2026-05-01"},
    "NewWebhookBody": {
        "url": "https://receiver.example/subusers",
        "account_id": ACCOUNT_ID,
        "types": ["subusers.sub_user.activated.v1", "subusers.sub_user.deleted.v1"],
        "signature": "ed25519",
    },
    "WebhookReplay": {"after": 0},
}
"""Example request bodies by schema name. They are valid except for ids and secrets, which only the sender has."""

REPORT_FIELDS = ("sub_user_id", "conversation_ms", "conversation_minutes", "llm_tokens", "occurred_at")
AMOUNT_REQUIRED = {
    "anyOf": [{"required": [name]} for name in ("conversation_ms", "conversation_minutes", "llm_tokens")],
    "not": {"required": ["conversation_ms", "conversation_minutes"]},
}
CROSS_FIELD_RULES: dict[str, dict[str, Any]] = {
    "UsageRow": AMOUNT_REQUIRED,
    "NewUsage": {
        "oneOf": [
            {"required": ["usage"], "properties": dict.fromkeys(REPORT_FIELDS, False)},
            {"required": ["sub_user_id"], "properties": {"usage": False}, **AMOUNT_REQUIRED},
        ]
    },
}
"""JSON Schema rules that span several fields, by schema name. apispec does not derive them from marshmallow."""

STATIC = Path(__file__).parent / "static"
MEDIA_TYPE_BY_SUFFIX = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; "  # Swagger UI embeds its icons in the style sheet
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CACHE_FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

METHODS = ("get", "post", "put", "patch", "delete")

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "required": True,
        "description": "Id of the request in logs and in the history.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"},
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
        "description": "Revision of the sub-user, for `If-Match`.",
        "schema": {"type": "string", "pattern": '^"[0-9]{1,18}"$'},
    },
    "Export-Cursor": {
        "required": True,
        "description": "Value for `cursor` to resume an interrupted export.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    },
    "WWW-Authenticate": {
        "description": "What is wrong: with the scheme `Bearer` the API key, with `Password` the sub-user's login, "
        "with `Session` their session.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "required": True,
        "description": "Seconds to wait before a retry.",
        "schema": {"type": "integer", "minimum": 1},
    },
}
HEADERS_BY_STATUS = {"401": ["WWW-Authenticate"], "429": ["Retry-After"], "503": ["Retry-After"]}

ANY_JSON = {"$ref": "#/components/schemas/AnyJson"}
ANY_JSON_SCHEMA: dict[str, Any] = {
    "description": f"JSON of at most {MAX_DETAILS_LENGTH:,} characters and {MAX_DETAILS_DEPTH} levels, without NUL.",
    "anyOf": [
        {"type": ["null", "boolean", "number"]},
        {"type": "string", "pattern": NO_NUL},
        {"type": "array", "items": ANY_JSON},
        {"type": "object", "propertyNames": {"pattern": NO_NUL}, "additionalProperties": ANY_JSON},
    ],
}

EVENT_EXAMPLE = {
    "specversion": "1.0",
    "id": f"{ACCOUNT_ID}:7",
    "type": "subusers.sub_user.logged_in.v1",
    "source": "https://subusers.example",
    "time": "2026-11-23T21:09:34.434614Z",
    "datacontenttype": "application/json",
    "dataschema": "https://subusers.example/schemas/subusers.sub_user.logged_in.v1.json",
    "position": 8,
    "sequence": "0000000000000000008",
    "subject": SUB_USER_ID,
    "accountid": ACCOUNT_ID,
    "accountversion": 7,
    "partitionkey": ACCOUNT_ID,
    "data": {
        "actor": {"type": "sub_user", "id": SUB_USER_ID},
        "session_id": "c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b",
        "with_temporary_password": False,
    },
}
STREAM_EXAMPLE = f"id: 8\nevent: {EVENT_EXAMPLE['type']}\ndata: {json.dumps(EVENT_EXAMPLE)}\n\n"
CHECKPOINT_EXAMPLE = """\
subusers/9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90
1042
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
position 1057
time 2026-05-01T12:00:00Z

\u2014 subusers/9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90 TlZgcW\u2026
"""
RESPONSE_EXAMPLES = {
    "EventsAnswer": {"items": [EVENT_EXAMPLE], "has_more": False, "next_cursor": None, "next_after": 8}
}

OTHER_CONTENT: dict[str, dict[str, Any]] = {
    "/v1/accounts/{account_id}/audit-log": {
        "text/csv": {"schema": {"type": "string"}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
    "/v1/audit/checkpoints/latest": {"text/plain": {"schema": {"type": "string"}, "example": CHECKPOINT_EXAMPLE}},
    "/v1/events/stream": {"text/event-stream": {"schema": {"type": "string"}, "example": STREAM_EXAMPLE}},
    "/asyncapi.json": {"application/json": {"schema": {"type": "object"}}},
    "/schemas/": {"application/json": {"schema": {"type": "object"}}},
    "/schemas/{event_type}.json": {"application/schema+json": {"schema": {"type": "object"}}},
    "/schemas/envelopes/{event_type}.json": {"application/schema+json": {"schema": {"type": "object"}}},
    "/metrics": {"text/plain": {"schema": {"type": "string"}}},
    "/openapi.json": {"application/json": {"schema": {"type": "object"}}},
    "/docs": {"text/html": {"schema": {"type": "string"}}},
}
"""Response content without a marshmallow schema, by path and media type."""

routes = Routes("documentation", "API documentation")


@routes.route("GET", "/openapi.json")
def openapi() -> Response:
    """Get this OpenAPI document."""
    return Response(current_app.extensions["subusers-openapi"](), content_type="application/json")


@routes.route("GET", "/docs")
def page() -> Response:
    """Get the documentation page, on which you can try out every request."""
    response = _file("docs.html")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


@routes.route("GET", "/docs/<path:name>", problems=(HTTPStatus.NOT_FOUND,))
def page_file(name: str) -> Response:
    """Get a file of the documentation page."""
    return _file(name)


def _file(name: str) -> Response:
    path = safe_join(str(STATIC), name)
    if path is None or not Path(path).is_file():
        raise NotFound
    response = Response(Path(path).read_bytes(), mimetype=MEDIA_TYPE_BY_SUFFIX.get(Path(path).suffix, "text/plain"))
    is_versioned = "/" in name  # the names of folders have a version
    response.headers["Cache-Control"] = CACHE_FOREVER if is_versioned else REVALIDATE
    response.add_etag()
    response.make_conditional(request)
    return response


def complete_document(document: dict[str, Any]) -> str:
    """Return the document as JSON, completed with the parts that apispec cannot derive.

    These are headers, examples, other media types and rules across fields. flask-smorest's default errors are removed.
    """
    del document["paths"]["/docs/{name}"]  # not part of the API
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                _complete_operation(operation)
    for name, content in OTHER_CONTENT.items():
        document["paths"][name]["get"]["responses"]["200"].setdefault("content", {}).update(content)
    document["components"].pop("responses", None)
    document["components"]["headers"] = HEADERS
    document["components"]["schemas"]["AnyJson"] = ANY_JSON_SCHEMA
    document["components"]["schemas"]["ActivityRow"]["properties"]["details"] = {**ANY_JSON, "default": None}
    document["components"]["securitySchemes"]["apiKey"]["description"] = KEY_DESCRIPTION
    for name, rules in CROSS_FIELD_RULES.items():
        document["components"]["schemas"][name].update(rules)
    for name, example in {**EXAMPLES, **RESPONSE_EXAMPLES}.items():
        document["components"]["schemas"][name]["examples"] = [example]
    for unused in ("Error", "PaginationMetadata"):
        document["components"]["schemas"].pop(unused, None)
    return json.dumps(document, ensure_ascii=False)


def _complete_operation(operation: dict[str, Any]) -> None:
    operation["responses"].pop("default", None)
    operation.setdefault("parameters", []).extend(operation.pop("x-headers"))
    for parameter in operation["parameters"]:
        # None marks an absent parameter, and is not a value that clients can send.
        if parameter["schema"].get("default", "") is None:
            del parameter["schema"]["default"]
    response_headers = operation.pop("x-response-headers")
    for status, response in operation["responses"].items():
        names = ["X-Request-Id", *(response_headers if status.startswith("2") else HEADERS_BY_STATUS.get(status, ()))]
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
