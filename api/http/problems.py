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
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(refusals.Refusal, _refusal)
    app.register_error_handler(InvalidValue, _invalid_value)
    app.register_error_handler(TooManyAttempts, _too_many_attempts)
    app.register_error_handler(SessionEnded, _session_ended)
    app.register_error_handler(ServiceError, _service_error)
    app.register_error_handler(AnswerAlreadyKept, _still_running)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, _unexpected)


def _refusal(refusal: refusals.Refusal) -> Response:
    status = STATUS_OF_REFUSAL.get(type(refusal), HTTPStatus.CONFLICT)
    log.info("request.refused", code=refusal.code, route=request.endpoint)
    return problem_response(Problem(status, refusal.code, str(refusal)))


def _invalid_value(error: InvalidValue) -> Response:
    errors: Any = [error.reason]
    for part in reversed(error.field.split(".")):
        errors = {part: errors}
    return problem_response(unprocessable(errors))


def _too_many_attempts(error: TooManyAttempts) -> Response:
    wait = str(max(1, round(error.retry_after + 0.5)))
    return problem_response(
        Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too-many-attempts",
            "Too many failed attempts: wait before the next one.",
            headers={"Retry-After": wait},
        )
    )


def _session_ended(_: SessionEnded) -> Response:
    return problem_response(
        Problem(HTTPStatus.UNAUTHORIZED, "session-ended", "There is no such session, or it has ended.")
    )


def _service_error(error: ServiceError) -> Response:
    log.warning("request.unavailable", code=error.code, route=request.endpoint)
    return problem_response(
        Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error), headers={"Retry-After": RETRY_AFTER_SECONDS})
    )


def _still_running(_: AnswerAlreadyKept) -> Response:
    return problem_response(
        Problem(HTTPStatus.CONFLICT, "request-in-progress", "A request with this Idempotency-Key is still running.")
    )


def _http_exception(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or 500)
    methods = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(sorted(methods))} if methods else {}
    title = TITLES.get(status)
    if title is None:  # nothing here raises such a one
        return _unexpected(error)
    code = title.lower().replace(" ", "-")
    return problem_response(Problem(status, code, error.description or title, headers=headers))


def _unexpected(error: Exception) -> Response:
    """Tell nothing of the insides; the log has it, under the same request id."""
    log.error("request.failed", route=request.endpoint, exc_info=error)
    return problem_response(
        Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "Something went wrong here. The request id names it."
        )
    )
