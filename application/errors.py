"""What can go wrong besides a rule of the domain saying no. A docstring is its message."""

from __future__ import annotations

import inspect


class ServiceError(Exception):
    """The service cannot answer."""

    code = "service-error"

    def __str__(self) -> str:
        """Return the first line of the docstring: it is written for the caller."""
        return (inspect.getdoc(type(self)) or "").splitlines()[0]


class StoreUnavailable(ServiceError):
    """The database cannot be reached just now. Nothing was lost: try again."""

    code = "store-unavailable"


class TooBusy(ServiceError):
    """Too many requests are waiting. Nothing was done: try again."""

    code = "too-busy"


class ViewBehind(ServiceError):
    """The view has not caught up with the history within the time allowed: try again."""

    code = "view-behind"


class MasterKeyMissing(ServiceError):
    """A key that this needs is missing from the service's settings: its operator has to put it back."""

    code = "master-key-missing"


class TreeDamaged(ServiceError):
    """Some of what is kept for proofs is gone: the service's operator has to find out why."""

    code = "tree-damaged"


class VersionConflict(Exception):
    """Somebody else recorded an event of the same stream first."""


class AnswerAlreadyKept(Exception):
    """A request with the same idempotency key was answered first."""


class TooManyAttempts(Exception):
    """Too many failed attempts: wait before the next one."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class InvalidValue(Exception):
    """A value was refused; `field` names it and `reason` says why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class SessionEnded(Exception):
    """There is no such session, or it has ended."""
