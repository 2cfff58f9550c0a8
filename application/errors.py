"""Errors other than refusals by business rules. The first line of an error's docstring is its message."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


class ServiceError(Exception):
    """The service cannot process the request."""

    code = "service-error"

    def __str__(self) -> str:
        """Return the first line of the docstring, which is the message."""
        return (inspect.getdoc(type(self)) or "").splitlines()[0]


class StoreUnavailable(ServiceError):
    """The database cannot be reached just now. No data was lost: try again."""

    code = "store-unavailable"


class TooBusy(ServiceError):
    """Too many requests are waiting. This one was not executed: try again."""

    code = "too-busy"


class ProjectionBehind(ServiceError):
    """The view did not catch up with the history in time: try again."""

    code = "projection-behind"


class NoCheckpointYet(ProjectionBehind):
    """No checkpoint has been signed yet, so there are no proofs: try again."""


class MasterKeyMissing(ServiceError):
    """A master key is missing from the service's settings: the operator must restore it."""

    code = "master-key-missing"


class MerkleTreeDamaged(ServiceError):
    """Stored proof data is missing: the operator must investigate."""

    code = "merkle-tree-damaged"


class VersionConflict(Exception):
    """Another transaction has appended to the stream before this one, or a required condition no longer holds."""


class IdempotentResponseExists(Exception):
    """Another transaction has stored a response with the same idempotency key before this one."""


class TooManyAttempts(Exception):
    """Too many failed attempts: wait before the next one.

    `retry_after` is in seconds.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class InvalidValue(Exception):
    """A value is invalid. `field` is its name, `reason` the problem."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class StoreWentBack(Exception):
    """The store was restored to an earlier state, or replaced: positions from before are not valid in it.

    `epoch` is its current epoch. `common_position` is the last position before the histories diverge, None if unknown.
    """

    def __init__(self, epoch: UUID | None, common_position: int | None) -> None:
        super().__init__(epoch, common_position)
        self.epoch = epoch
        self.common_position = common_position


class SessionEnded(Exception):
    """There is no such session, or it has ended."""
