"""The OpenAPI document, and a page that shows it."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Response, current_app, send_from_directory

from api.http.routes import Routes

DESCRIPTION = """\
Main accounts of a portal, their sub-users, and everything these do.

Every answer to a command carries `Event-Position`: where in the history it stands. Reads are never stale: they have
everything that was answered before they were asked for. Errors are RFC 9457 problems with a stable `type`.
"""

STATIC = Path(__file__).parent / "static"
PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # the library's icons are in its style sheet
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
FOR_GOOD = "public, max-age=31536000, immutable"
IF_UNCHANGED = "no-cache"

METHODS = ("get", "post", "put", "patch", "delete")

POSITION_HEADER = {
    "Event-Position": {
        "description": "Where in the history this stands; absent where nothing changed.",
        "schema": {"type": "integer"},
    }
}

routes = Routes("documentation", "This document")


@routes.door("GET", "/openapi.json")
def openapi() -> Response:
    """Show this document."""
    return Response(current_app.extensions["subusers-openapi"], content_type="application/json")


@routes.door("GET", "/docs")
def page() -> Response:
    """Show this document as a page, on which every request can be tried."""
    response = send_from_directory(STATIC, "docs.html")
    response.headers["Cache-Control"] = IF_UNCHANGED
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


@routes.door("GET", "/docs/<path:file>", problems=(HTTPStatus.NOT_FOUND,))
def page_file(file: str) -> Response:
    """Give a file of that page."""
    response = send_from_directory(STATIC, file)
    response.headers["Cache-Control"] = FOR_GOOD if "/" in file else IF_UNCHANGED  # a folder's name tells its version
    return response


def finished(document: dict[str, Any]) -> str:
    """Return the document as JSON, with what the library cannot know put in, and what is not so taken out."""
    del document["paths"]["/docs/{file}"]  # the page's own business
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                _finish(method, operation)
    audit = document["paths"]["/v1/accounts/{account_id}/audit-log"]["get"]["responses"]["200"]["content"]
    audit["text/csv"] = {"schema": {"type": "string"}}
    audit["application/x-ndjson"] = {"schema": {"type": "string"}}
    document["components"].pop("responses", None)
    for unused in ("Error", "PaginationMetadata"):
        document["components"]["schemas"].pop(unused, None)
    return json.dumps(document, ensure_ascii=False)


def _finish(method: str, operation: dict[str, Any]) -> None:
    operation["responses"].pop("default", None)
    operation.setdefault("parameters", []).extend(operation.pop("x-headers"))
    for status, response in operation["responses"].items():
        if method != "get" and status.startswith("2"):
            response.setdefault("headers", {}).update(POSITION_HEADER)
