"""Errors as RFC 9457 problem details: a stable type, one sentence, and the field where there is one to name."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from flask import Response, g, request
from werkzeug.exceptions import HTTPException

from application.errors import (
    AnswerAlreadyKept,
    InvalidValue,
    ServiceError,
    SessionEnded,
    TooManyAttempts,
)
from domain import refusals

if TYPE_CHECKING:
    from flask import Flask

TYPE_PREFIX = "urn:subusers:problem:"
RETRY_AFTER_SECONDS = "1"

STATUS_OF_REFUSAL: dict[type[refusals.Refusal], HTTPStatus] = {
    refusals.AccountNotFound: HTTPStatus.NOT_FOUND,
    refusals.SubUserNotFound: HTTPStatus.NOT_FOUND,
    refusals.WebhookNotFound: HTTPStatus.NOT_FOUND,
    refusals.RevisionMismatch: HTTPStatus.PRECONDITION_FAILED,
    refusals.LoginRefused: HTTPStatus.UNAUTHORIZED,
}
"""What a refusal means in HTTP; any other is a conflict with the present state."""

TITLES = {
    HTTPStatus.BAD_REQUEST: "Bad Request",
    HTTPStatus.UNAUTHORIZED: "Unauthorized",
    HTTPStatus.FORBIDDEN: "Forbidden",
    HTTPStatus.NOT_FOUND: "Not Found",
    HTTPStatus.METHOD_NOT_ALLOWED: "Method Not Allowed",
    HTTPStatus.NOT_ACCEPTABLE: "Not Acceptable",
    HTTPStatus.CONFLICT: "Conflict",
    HTTPStatus.PRECONDITION_FAILED: "Precondition Failed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Unsupported Media Type",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
    HTTPStatus.TOO_MANY_REQUESTS: "Too Many Requests",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal Server Error",
    HTTPStatus.SERVICE_UNAVAILABLE: "Service Unavailable",
}
"""RFC 9110's names, by which general problems' types go too: those of Python's HTTPStatus change with its version."""

log = structlog.get_logger(__name__)


class Problem(Exception):
    """An answer that is an error, raised from wherever it is found."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        errors: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


def problem_response(problem: Problem) -> Response:
    """Return the problem as an answer."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.code,
        "title": TITLES[problem.status],
        "status": problem.status.value,
        "detail": problem.detail,
        "request_id": g.get("request_id"),
    }
    if problem.errors:
        body["errors"] = problem.errors
    return Response(
        json.dumps(body), problem.status.value, headers=problem.headers, content_type="application/problem+json"
    )


def unprocessable(errors: dict[str, Any]) -> Problem:
    """Return the problem of input that was understood, and refused: `errors` says why, by field."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-input", "Some values were refused.", errors=errors)


def register_error_handlers(app: Flask) -> None:
    """Have every exception answered as a problem, the unexpected ones without their insides."""
    app.register_error_handler(Exception, answer_error)


def answer_error(error: Exception) -> Response:
    """Return the problem that an exception comes to, as an answer."""
    return problem_response(problem_of(error))


def _cause(error: ServiceError) -> str | None:
    """Return what the driver said, in one line, None where there was none: of connections and limits, never of rows."""
    return next(iter(str(error.__cause__).splitlines()), None) if error.__cause__ is not None else None


def problem_of(error: Exception) -> Problem:  # noqa: PLR0911  # one return for each kind of error
    """Return what an exception comes to, and write a line about it where it may interest the operator."""
    match error:
        case Problem():
            return error
        case refusals.Refusal():
            status = STATUS_OF_REFUSAL.get(type(error), HTTPStatus.CONFLICT)
            log.info("request.refused", code=error.code, route=request.endpoint)
            return Problem(status, error.code, str(error))
        case InvalidValue():
            return _invalid_value(error)
        case TooManyAttempts():
            return _too_many_attempts(error)
        case SessionEnded():
            detail = "There is no such session, or it has ended."
            return Problem(HTTPStatus.UNAUTHORIZED, "session-ended", detail)
        case ServiceError():
            log.warning("request.unavailable", code=error.code, route=request.endpoint, cause=_cause(error))
            headers = {"Retry-After": RETRY_AFTER_SECONDS}
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error), headers=headers)
        case AnswerAlreadyKept():
            detail = "A request with this Idempotency-Key is still running."
            return Problem(HTTPStatus.CONFLICT, "request-in-progress", detail)
        case HTTPException(code=int(code)) if HTTPStatus(code) in TITLES:
            return _http_problem(error, HTTPStatus(code))
        case _:
            return _unexpected(error)


def _invalid_value(error: InvalidValue) -> Problem:
    errors: Any = [error.reason]
    for part in reversed(error.field.split(".")):
        errors = {part: errors}
    return unprocessable(errors)


def _too_many_attempts(error: TooManyAttempts) -> Problem:
    wait = str(max(1, round(error.retry_after + 0.5)))
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-attempts",
        "Too many failed attempts: wait before the next one.",
        headers={"Retry-After": wait},
    )


def _http_problem(error: HTTPException, status: HTTPStatus) -> Problem:
    methods = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(sorted(methods))} if methods else {}
    title = TITLES[status]
    return Problem(status, title.lower().replace(" ", "-"), error.description or title, headers=headers)


def _unexpected(error: Exception) -> Problem:
    """Tell nothing of the insides; the log has it, under the same request id."""
    log.error("request.failed", route=request.endpoint, exc_info=error)
    detail = "Something went wrong here. The request id names it."
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail)
