"""Exceptions of the client: one class for each family of problems that the service answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBLEM_PREFIX = "urn:subusers:problem:"


class SubusersError(Exception):
    """Base class of all errors of this client.

    `problem_type` is the last part of the problem's URN, such as `sub-user-email-taken`; None if no problem was
    received. `may_have_succeeded` is True if the request may have taken effect in spite of the error.
    """

    def __init__(
        self,
        message: str,
        *,
        problem_type: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        may_have_succeeded: bool = False,
    ) -> None:
        super().__init__(message)
        self.problem_type = problem_type
        self.status = status
        self.request_id = request_id
        self.may_have_succeeded = may_have_succeeded


class InvalidApiKey(SubusersError):
    """The API key is missing, unknown, revoked or expired. The operator must replace it."""


class ApiKeyNotAllowed(SubusersError):
    """The API key does not permit this route, this account, or requests from this address."""


class LoginRefused(SubusersError):
    """The login was refused. Show one message, whatever the cause: the service does not reveal it."""


class SecondFactorRefused(SubusersError):
    """The code or passkey is wrong, has expired or has already been used."""


class StepUpRequired(SubusersError):
    """The session must set an own password first, or verify a second factor. `problem_type` says which."""


class SessionEnded(SubusersError):
    """The session does not exist or has ended."""


class NotFound(SubusersError):
    """The account, sub-user, session, role, grant or webhook does not exist."""


class LinkInvalid(SubusersError):
    """The link that was mailed to a person is unknown, expired, used or replaced. Offer them to ask for another."""


class Conflict(SubusersError):
    """The request conflicts with the current state. `type` has the reason."""

    @property
    def type(self) -> str | None:
        """The problem type, such as `sub-user-limit-reached`."""
        return self.problem_type


class RevisionMismatch(Conflict):
    """The sub-user or the permission catalogue has changed since the given revision."""


class StoreWentBack(Conflict):
    """The position is of another epoch of the event store, or beyond its end.

    Discard the results of events after `common_position`, and continue there with `epoch`. None means: start again
    from 0.
    """

    def __init__(
        self, message: str, *, epoch: str | None = None, common_position: int | None = None, **arguments: Any
    ) -> None:
        super().__init__(message, **arguments)
        self.epoch = epoch
        self.common_position = common_position


class InvalidRequest(SubusersError):
    """The service did not accept the request's values. `errors` has the reasons by field, header or parameter."""

    def __init__(self, message: str, *, errors: Mapping[str, Any] | None = None, **arguments: Any) -> None:
        super().__init__(message, **arguments)
        self.errors = dict(errors or {})


class TooManyRequests(SubusersError):
    """A limit was exceeded. Try again after `retry_after` seconds, if it is not None."""

    def __init__(self, message: str, *, retry_after: float | None = None, **arguments: Any) -> None:
        super().__init__(message, **arguments)
        self.retry_after = retry_after


class ServiceUnavailable(SubusersError):
    """The service did not answer in time, or cannot serve the request at present."""

    def __init__(self, message: str, *, retry_after: float | None = None, **arguments: Any) -> None:
        super().__init__(message, **arguments)
        self.retry_after = retry_after


class ServiceFailed(SubusersError):
    """The service had an internal error. Report `request_id` to its operator."""


class UnexpectedResponse(SubusersError):
    """The response is not one of this service: check the base URL and the proxies in between."""


class InvalidWebhook(SubusersError):
    """A webhook request has no valid signature, or is too old. Answer 401 and do not process it."""


ERROR_BY_TYPE: dict[str, type[SubusersError]] = {
    "unknown-api-key": InvalidApiKey,
    "api-key-expired": InvalidApiKey,
    "login-refused": LoginRefused,
    "second-factor-refused": SecondFactorRefused,
    "second-factor-needed": StepUpRequired,
    "own-password-needed": StepUpRequired,
    "session-ended": SessionEnded,
    "link-invalid": LinkInvalid,
    "wrong-scope": ApiKeyNotAllowed,
    "address-not-allowed": ApiKeyNotAllowed,
    "account-not-allowed": ApiKeyNotAllowed,
    "revision-mismatch": RevisionMismatch,
    "store-went-back": StoreWentBack,
}
"""Problem types whose meaning does not follow from their status."""

ERROR_BY_TEMPORARY_STATUS: dict[int, type[SubusersError]] = {
    429: TooManyRequests,
    502: ServiceUnavailable,
    503: ServiceUnavailable,
    504: ServiceUnavailable,
}
"""Statuses that proxies send, too: with or without a problem."""

ERROR_BY_STATUS: dict[int, type[SubusersError]] = {
    401: ApiKeyNotAllowed,
    403: ApiKeyNotAllowed,
    404: NotFound,
    409: Conflict,
    412: Conflict,
}
"""Statuses of problem types of later versions. 401 must not look like an ended session."""


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> SubusersError:
    """Return the exception for an error response.

    401, 403 and 404 without a problem of the service become `UnexpectedResponse`: they come from something in between.
    """
    problem = parse_problem(body)
    code, request_id = _code_of(problem), headers.get("x-request-id")
    error = _class_of(status, code)
    arguments: dict[str, Any] = {"problem_type": code, "status": status, "request_id": request_id}
    message = f"{code or 'no problem of the service'} ({status})"
    if isinstance(problem.get("detail"), str):
        message += f": {problem['detail']}"
    if issubclass(error, InvalidRequest):
        errors = problem.get("errors")
        arguments["errors"] = errors if isinstance(errors, dict) else {}
        if errors:
            message += f" {json.dumps(errors, ensure_ascii=False)}"
    elif issubclass(error, TooManyRequests | ServiceUnavailable):
        arguments["retry_after"] = parse_retry_after(headers.get("retry-after"))
    elif issubclass(error, StoreWentBack):
        arguments |= {"epoch": problem.get("epoch"), "common_position": problem.get("common_position")}
    if request_id:
        message += f" [request {request_id}]"
    return error(message, **arguments)


def _code_of(problem: Mapping[str, Any]) -> str | None:
    """Return the last part of a problem's type, or None if it is not a problem of the service."""
    problem_type = problem.get("type")
    is_known = isinstance(problem_type, str) and problem_type.startswith(PROBLEM_PREFIX)
    return str(problem_type).removeprefix(PROBLEM_PREFIX) if is_known else None


def _class_of(status: int, code: str | None) -> type[SubusersError]:
    if status in ERROR_BY_TEMPORARY_STATUS:
        return ERROR_BY_TEMPORARY_STATUS[status]
    if status >= 500:
        return ServiceFailed
    if code is None:
        return UnexpectedResponse
    return ERROR_BY_TYPE.get(code) or ERROR_BY_STATUS.get(status, InvalidRequest)


def parse_problem(body: bytes) -> dict[str, Any]:
    """Return the problem in a body (RFC 9457), or an empty dictionary."""
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}


def parse_retry_after(text: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header, or None. The service sends no dates."""
    return float(text) if text is not None and text.isascii() and text.isdecimal() else None
