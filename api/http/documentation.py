"""The OpenAPI document, and a page that shows it."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Response, current_app, request
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from api.http.fields import DEEPEST_DETAILS, LARGEST_DETAILS, NO_NUL
from api.http.routes import Routes

DESCRIPTION = """\
Main accounts of a portal, their sub-users, and everything these do.

Every answer to a command carries `Event-Position`: where in the history it stands. Reads are never stale: they have
everything that was answered before they were asked for. Errors are RFC 9457 problems with a stable `type`: see
`Problem` among the schemas.

How events look, in the feed, in the stream and on a broker, is at [/asyncapi.json](asyncapi.json).

Of a `portal` key the headers `X-Client-IP`, `X-Client-User-Agent` and `X-Request-Id` are believed: whom it acts for.

To try requests out, give an API key under *Authorize*; the key is forgotten with the page.
"""

KEY_DESCRIPTION = "An API key, from `subusers api-key create`. Its scope decides which requests it is good for."

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
    "NewUsage": {"usage": [{"sub_user_id": SUB_USER_ID, "conversation_minutes": 12.5, "llm_tokens": 3400}]},
    "NewPlan": {"included_minutes": 1000, "included_tokens": 2000000, "period_start": "2026-05-01"},
    "NewWebhookBody": {
        "url": "https://receiver.example/subusers",
        "account_id": ACCOUNT_ID,
        "types": ["subusers.sub_user.activated.v1", "subusers.sub_user.deleted.v1"],
        "signature": "ed25519",
    },
    "WebhookReplay": {"after": 0},
}
"""A body for each request, fit to be sent as it stands but for what only its sender can know."""

OF_ONE_REPORT = ("sub_user_id", "conversation_minutes", "llm_tokens", "occurred_at")
USED = {"anyOf": [{"required": ["conversation_minutes"]}, {"required": ["llm_tokens"]}]}
FURTHER_RULES: dict[str, dict[str, Any]] = {
    "UsageRow": USED,
    "NewUsage": {
        "oneOf": [
            {"required": ["usage"], "properties": dict.fromkeys(OF_ONE_REPORT, False)},
            {"required": ["sub_user_id"], "properties": {"usage": False}, **USED},
        ]
    },
}
"""What a schema demands of several fields together, which the library does not document."""

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; "  # the library's icons are in its style sheet
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FOR_GOOD = "public, max-age=31536000, immutable"
IF_UNCHANGED = "no-cache"

METHODS = ("get", "post", "put", "patch", "delete")

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "required": True,
        "description": "By which the request is known in logs and in the history.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"},
    },
    "Event-Position": {
        "description": "Where in the history this stands; absent where nothing changed.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Location": {
        "required": True,
        "description": "Where it is.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {
        "required": True,
        "description": "The sub-user's own revision, for `If-Match`.",
        "schema": {"type": "string", "pattern": '^"[0-9]{1,18}"$'},
    },
    "Export-Cursor": {
        "required": True,
        "description": "With it as `cursor` an export that broke off goes on.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    },
    "WWW-Authenticate": {
        "description": "What kind of key is needed, where the API key is to blame.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "required": True,
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 1},
    },
}
OF_STATUS = {"401": ["WWW-Authenticate"], "429": ["Retry-After"], "503": ["Retry-After"]}

ANY_JSON = {"$ref": "#/components/schemas/AnyJson"}
ANY_JSON_SCHEMA: dict[str, Any] = {
    "description": f"Any JSON, of at most {LARGEST_DETAILS:,} characters and {DEEPEST_DETAILS} levels, without NUL.",
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
    "subject": SUB_USER_ID,
    "accountid": ACCOUNT_ID,
    "accountversion": 7,
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
ANSWER_EXAMPLES = {"EventsAnswer": {"items": [EVENT_EXAMPLE], "next_cursor": None, "next_after": 8}}

OTHER_CONTENT: dict[str, dict[str, Any]] = {
    "/v1/accounts/{account_id}/audit-log": {
        "text/csv": {"schema": {"type": "string"}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
    "/v1/audit/checkpoints/latest": {"text/plain": {"schema": {"type": "string"}, "example": CHECKPOINT_EXAMPLE}},
    "/v1/events/stream": {"text/event-stream": {"schema": {"type": "string"}, "example": STREAM_EXAMPLE}},
    "/asyncapi.json": {"application/json": {"schema": {"type": "object"}}},
    "/schemas/{event_type}.json": {"application/schema+json": {"schema": {"type": "object"}}},
    "/schemas/envelopes/{event_type}.json": {"application/schema+json": {"schema": {"type": "object"}}},
    "/metrics": {"text/plain": {"schema": {"type": "string"}}},
    "/openapi.json": {"application/json": {"schema": {"type": "object"}}},
    "/docs": {"text/html": {"schema": {"type": "string"}}},
}
"""What is answered that no schema of `api.http.schemas` describes."""

routes = Routes("documentation", "This document")


@routes.door("GET", "/openapi.json")
def openapi() -> Response:
    """Show this document."""
    return Response(current_app.extensions["subusers-openapi"], content_type="application/json")


@routes.door("GET", "/docs")
def page() -> Response:
    """Show this document as a page, on which every request can be tried."""
    response = _file("docs.html")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


@routes.door("GET", "/docs/<path:name>", problems=(HTTPStatus.NOT_FOUND,))
def page_file(name: str) -> Response:
    """Give a file of that page."""
    return _file(name)


def _file(name: str) -> Response:
    path = safe_join(str(STATIC), name)
    if path is None or not Path(path).is_file():
        raise NotFound
    response = Response(Path(path).read_bytes(), mimetype=TYPES.get(Path(path).suffix, "text/plain"))
    response.headers["Cache-Control"] = FOR_GOOD if "/" in name else IF_UNCHANGED  # a folder's name tells its version
    response.add_etag()
    response.make_conditional(request)
    return response


def finished(document: dict[str, Any]) -> str:
    """Return the document as JSON, with what the library cannot know put in, and what is not so taken out."""
    del document["paths"]["/docs/{name}"]  # the page's own business
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                _finish(operation)
    for name, content in OTHER_CONTENT.items():
        document["paths"][name]["get"]["responses"]["200"].setdefault("content", {}).update(content)
    document["components"].pop("responses", None)
    document["components"]["headers"] = HEADERS
    document["components"]["schemas"]["AnyJson"] = ANY_JSON_SCHEMA
    document["components"]["schemas"]["ActivityRow"]["properties"]["details"] = {**ANY_JSON, "default": None}
    document["components"]["securitySchemes"]["apiKey"]["description"] = KEY_DESCRIPTION
    for name, rules in FURTHER_RULES.items():
        document["components"]["schemas"][name].update(rules)
    for name, example in {**EXAMPLES, **ANSWER_EXAMPLES}.items():
        document["components"]["schemas"][name]["examples"] = [example]
    for unused in ("Error", "PaginationMetadata"):
        document["components"]["schemas"].pop(unused, None)
    return json.dumps(document, ensure_ascii=False)


def _finish(operation: dict[str, Any]) -> None:
    operation["responses"].pop("default", None)
    operation.setdefault("parameters", []).extend(operation.pop("x-headers"))
    for parameter in operation["parameters"]:
        if parameter["schema"].get("default", "") is None:
            del parameter["schema"]["default"]  # absent is what it means
    tells = operation.pop("x-tells")
    for status, response in operation["responses"].items():
        names = ["X-Request-Id", *(tells if status.startswith("2") else OF_STATUS.get(status, ()))]
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
