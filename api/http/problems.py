"""Errors as RFC 9457 problem details: a stable type, a detail, and messages by field for invalid input."""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from flask import Response, g, request
from werkzeug.exceptions import HTTPException

from adapters.postgres.sqlstates import describe
from api.deprecated_names import Kind, deprecated_names
from api.server.refusals import TYPE_PREFIX
from application.errors import (
    IdempotentResponseExists,
    InvalidValue,
    ServiceError,
    SessionEnded,
    StoreWentBack,
    TooManyAttempts,
)
from domain import refusals

if TYPE_CHECKING:
    from flask import Flask

RETRY_AFTER_SECONDS = "1"

AUTHZEN_PATH = "/access/v1/"
"""Prefix of the routes of the AuthZEN Authorization API. It demands 400 for every request that is not valid."""

STATUS_BY_REFUSAL: dict[type[refusals.Refusal], HTTPStatus] = {
    refusals.AccountNotFound: HTTPStatus.NOT_FOUND,
    refusals.SubUserNotFound: HTTPStatus.NOT_FOUND,
    refusals.SessionNotFound: HTTPStatus.NOT_FOUND,
    refusals.WebhookNotFound: HTTPStatus.NOT_FOUND,
    refusals.RoleNotFound: HTTPStatus.NOT_FOUND,
    refusals.GrantNotFound: HTTPStatus.NOT_FOUND,
    refusals.CatalogueChanged: HTTPStatus.PRECONDITION_FAILED,
    refusals.ActivityTypesChanged: HTTPStatus.PRECONDITION_FAILED,
    refusals.RoleHasChanged: HTTPStatus.PRECONDITION_FAILED,
    refusals.RevisionMismatch: HTTPStatus.PRECONDITION_FAILED,
    refusals.LinkInvalid: HTTPStatus.GONE,
    refusals.LoginRefused: HTTPStatus.UNAUTHORIZED,
    refusals.SecondFactorWrong: HTTPStatus.UNAUTHORIZED,
    refusals.SecondFactorNeeded: HTTPStatus.FORBIDDEN,
    refusals.OwnPasswordNeeded: HTTPStatus.FORBIDDEN,
    refusals.SecondFactorNotFound: HTTPStatus.NOT_FOUND,
    refusals.ChallengeNotFound: HTTPStatus.NOT_FOUND,
}
"""HTTP status of refusals. All others are 409: they conflict with the current state."""

TITLES = {
    HTTPStatus.BAD_REQUEST: "Bad Request",
    HTTPStatus.UNAUTHORIZED: "Unauthorized",
    HTTPStatus.FORBIDDEN: "Forbidden",
    HTTPStatus.NOT_FOUND: "Not Found",
    HTTPStatus.METHOD_NOT_ALLOWED: "Method Not Allowed",
    HTTPStatus.NOT_ACCEPTABLE: "Not Acceptable",
    HTTPStatus.CONFLICT: "Conflict",
    HTTPStatus.GONE: "Gone",
    HTTPStatus.PRECONDITION_FAILED: "Precondition Failed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Unsupported Media Type",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
    HTTPStatus.TOO_MANY_REQUESTS: "Too Many Requests",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal Server Error",
    HTTPStatus.SERVICE_UNAVAILABLE: "Service Unavailable",
}
"""Reason phrases of RFC 9110, also used in problem types. Those in `HTTPStatus` vary with the Python version."""

CHALLENGES = {
    "login-refused": 'Password realm="subusers", error="login_refused"',
    "second-factor-refused": 'SecondFactor realm="subusers", error="second_factor_refused"',
    "session-ended": 'Session realm="subusers", error="session_ended"',
}
"""`WWW-Authenticate` of 401 responses that are not about the API key. Those about it use the scheme `Bearer`."""

PREVIOUS_CODES = {deprecated.replacement: deprecated.name for deprecated in deprecated_names(Kind.PROBLEM_TYPE)}
"""Codes of version 0.1 by the present ones, where they differ."""

log = structlog.get_logger(__name__)


class Problem(Exception):
    """An error response. Raise it anywhere in a request."""

    def __init__(  # noqa: PLR0913  # one argument for each part of a response
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        errors: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        extensions: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.extensions = extensions or {}


def problem_response(problem: Problem) -> Response:
    """Return the response of a problem."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.code,
        "title": TITLES[problem.status],
        "status": problem.status.value,
        "detail": problem.detail,
        "request_id": g.get("request_id"),
    }
    if problem.code in PREVIOUS_CODES:
        body["previous_type"] = TYPE_PREFIX + PREVIOUS_CODES[problem.code]
    if problem.errors:
        body["errors"] = problem.errors
    body |= problem.extensions
    return Response(
        json.dumps(body), problem.status.value, headers=problem.headers, content_type="application/problem+json"
    )


def unprocessable(errors: dict[str, Any]) -> Problem:
    """Return the problem of well-formed but invalid input. `errors` are messages by field."""
    status = HTTPStatus.BAD_REQUEST if request.path.startswith(AUTHZEN_PATH) else HTTPStatus.UNPROCESSABLE_ENTITY
    return Problem(status, "invalid-input", "Some values were refused.", errors=errors)


def unsupported_media_type(detail: str) -> Problem:
    """Return the problem of a body of another type than `detail` says."""
    is_authzen = request.path.startswith(AUTHZEN_PATH)
    status = HTTPStatus.BAD_REQUEST if is_authzen else HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    return Problem(status, "unsupported-media-type", detail)


def register_error_handlers(app: Flask) -> None:
    """Respond to every exception with a problem. Unexpected ones reveal no internals."""
    app.register_error_handler(Exception, error_response)


def error_response(error: Exception) -> Response:
    """Return the problem response for an exception."""
    return problem_response(problem_of(error))


def problem_of(error: Exception) -> Problem:  # noqa: PLR0911  # one return for each kind of error
    """Return the problem for an exception, and log it if it may concern the operator."""
    match error:
        case Problem():
            return error
        case refusals.TooManyMails():
            return _too_many(error.code, str(error), error.retry_after)
        case refusals.Refusal():
            status = STATUS_BY_REFUSAL.get(type(error), HTTPStatus.CONFLICT)
            log.info("request.refused", code=error.code, route=request.endpoint)
            return Problem(status, error.code, str(error), headers=_challenge(error.code))
        case ServiceError():
            log.warning("request.unavailable", code=error.code, route=request.endpoint, **describe(error))
            headers = {"Retry-After": RETRY_AFTER_SECONDS}
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error), headers=headers)
        case InvalidValue() | TooManyAttempts() | SessionEnded() | StoreWentBack() | IdempotentResponseExists():
            return _application_problem(error)
        case HTTPException(code=int(code)) if HTTPStatus(code) in TITLES:
            return _http_problem(error, HTTPStatus(code))
        case _:
            return _unexpected(error)


def _application_problem(
    error: InvalidValue | TooManyAttempts | SessionEnded | StoreWentBack | IdempotentResponseExists,
) -> Problem:
    match error:
        case InvalidValue():
            return _invalid_value(error)
        case TooManyAttempts():
            detail = "Too many failed attempts. Wait before the next one."
            return _too_many("too-many-attempts", detail, error.retry_after)
        case SessionEnded():
            detail = "There is no such session, or it has ended."
            return Problem(HTTPStatus.UNAUTHORIZED, "session-ended", detail, headers=_challenge("session-ended"))
        case StoreWentBack():
            return _store_went_back(error)
        case IdempotentResponseExists():
            detail = "A request with this Idempotency-Key is still running."
            return Problem(HTTPStatus.CONFLICT, "request-in-progress", detail)


def _challenge(code: str) -> dict[str, str]:
    return {"WWW-Authenticate": CHALLENGES[code]} if code in CHALLENGES else {}


def _invalid_value(error: InvalidValue) -> Problem:
    errors: Any = [error.reason]
    for part in reversed(error.field.split(".")):
        errors = {part: errors}
    return unprocessable(errors)


def _too_many(code: str, detail: str, retry_after: float) -> Problem:
    wait = str(max(1, math.ceil(retry_after)))
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, code, detail, headers={"Retry-After": wait})


def _store_went_back(error: StoreWentBack) -> Problem:
    epoch = str(error.epoch) if error.epoch is not None else None
    return Problem(
        HTTPStatus.CONFLICT,
        "store-went-back",
        "The position is not in the current history. Discard the events after `common_position`, and resume there.",
        extensions={"epoch": epoch, "common_position": error.common_position},
    )


def _http_problem(error: HTTPException, status: HTTPStatus) -> Problem:
    methods = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(sorted(methods))} if methods else {}
    title = TITLES[status]
    return Problem(status, title.lower().replace(" ", "-"), error.description or title, headers=headers)


def _unexpected(error: Exception) -> Problem:
    """Log the exception with the request id, and reveal nothing of it."""
    log.error("request.failed", route=request.endpoint, exc_info=error)
    detail = "Internal error. Quote the request id when you report it."
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail)
