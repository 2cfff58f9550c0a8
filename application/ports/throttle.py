"""Port: throttle of authentication attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class ThrottleScope(StrEnum):
    """Scope of a counter, which determines its limit (docs/security.md)."""

    OWN_NETWORK = "own_network"
    """One person from the narrowest network: a doubling wait. A login makes the network known."""

    NETWORK = "network"
    """One person from a wider network: a doubling wait."""

    CLIENT = "client"
    """All people from one network: a limit per minute."""

    IDENTITY = "identity"
    """One person from anywhere: a temporary lock."""

    ATTEMPTS = "attempts"
    """All attempts of one person, right or wrong: a limit per hour."""

    TALLY = "tally"
    """Failures that are counted but never block."""


@dataclass(frozen=True)
class ThrottleKey:
    """Key of a counter, its scope, and the number of failures at which it blocks."""

    key: bytes = field(repr=False)
    scope: ThrottleScope
    limit: int


@dataclass(frozen=True)
class AttemptKeys:
    """Keys of one attempt, sorted so that all transactions lock the rows in the same order.

    `identity` stands for the person. Attempts on one person are serialized within a process.
    """

    identity: bytes = field(repr=False)
    counters: tuple[ThrottleKey, ...]


@dataclass(frozen=True)
class Reservation:
    """An attempt that counts as in flight until it fails, succeeds or is cancelled."""

    attempt_id: str
    keys: AttemptKeys


@dataclass(frozen=True)
class Admission:
    """Decision on an attempt before verification. The attempt is reserved unless it must wait or is queued.

    `seconds_to_wait_without_exemption` is the wait without a known network or exempt credentials. The response to a
    wrong attempt contains it, so that an exemption does not reveal that the person exists.
    """

    reservation: Reservation
    seconds_to_wait: float
    seconds_to_wait_without_exemption: float
    is_locked: bool
    is_queued: bool


class Throttle(Protocol):
    """Counters of authentication attempts, shared by all processes."""

    def reserve(self, keys: AttemptKeys, now: datetime) -> Admission:
        """Decide on an attempt, and count it as in flight if it is admitted."""

    def fail(self, reservation: Reservation, now: datetime, tally: ThrottleKey | None = None) -> int:
        """Count a failure, and return the consecutive failures under `tally`, or on the person without `tally`.

        Return 0 if the keys do not count failures on the person.
        """

    def succeed(self, reservation: Reservation, now: datetime) -> None:
        """Reset the consecutive failures of the person and their network."""

    def cancel(self, reservation: Reservation) -> None:
        """Cancel the reservation of an attempt that was not verified."""
