"""The OpenAPI document, and a page that shows it."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, current_app

from api.http.routes import Routes

DESCRIPTION = """\
Main accounts of a portal, their sub-users, and everything these do.

Every answer to a command carries `Event-Position`: where in the history it stands. Reads are never stale: they have
everything that was answered before they were asked for. Errors are RFC 9457 problems with a stable `type`.
"""

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


def finished(document: dict[str, Any]) -> str:
    """Return the document as JSON, with what the library cannot know put in, and what is not so taken out."""
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
