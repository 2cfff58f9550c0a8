"""Problems with which the server responds instead of the application."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from uuid import uuid4

from api.server.wsgi import Response

TYPE_PREFIX = "urn:subusers:problem:"


@dataclass(frozen=True)
class Refusal:
    """A problem (RFC 9457). `retry_after` is in seconds."""

    status: HTTPStatus
    code: str
    detail: str
    retry_after: int | None = None


BAD_REQUEST = Refusal(HTTPStatus.BAD_REQUEST, "bad-request", "This is not a valid HTTP/1.1 request.")
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "request-header-fields-too-large",
    "The request's headers are too large.",
)
BODY_TOO_LARGE = Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "content-too-large", "The request's body is too large.")
TOO_SLOW = Refusal(HTTPStatus.REQUEST_TIMEOUT, "request-timeout", "The request did not arrive in time.")
OVERLOADED = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "Too many requests are waiting; try again in a moment.", 1
)
INTERNAL_ERROR = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "Internal error.")
EXPECTATION_FAILED = Refusal(HTTPStatus.EXPECTATION_FAILED, "expectation-failed", "Only 100-continue can be expected.")


def refusal_response(refusal: Refusal) -> Response:
    """Return the response for a refusal."""
    request_id = str(uuid4())
    body = json.dumps(
        {
            "type": TYPE_PREFIX + refusal.code,
            "title": refusal.status.phrase,
            "status": refusal.status.value,
            "detail": refusal.detail,
            "request_id": request_id,
        }
    ).encode()
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Request-Id", request_id),
    ]
    if refusal.retry_after is not None:
        headers.append(("Retry-After", str(refusal.retry_after)))
    return Response(f"{refusal.status.value} {refusal.status.phrase}", headers, body)
