"""Admission of authentication attempts within the limits of the throttle."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.errors import StoreUnavailable, TooBusy, TooManyAttempts
from application.request_deadlines import within_deadline

if TYPE_CHECKING:
    from application.ports.clock import Clock
    from application.ports.throttle import Admission, AttemptKeys, Reservation, Throttle, ThrottleKey

MAX_WAIT_SECONDS = 8.0
"""Maximum wait for attempts in flight."""

RETRY_PAUSE_SECONDS = 0.01
"""Average time between retries: about half the duration of a password verification."""


@dataclass(frozen=True)
class LoginThrottling:
    """Reserves attempts before they are verified (docs/adr/0019-attempts-are-reserved.md)."""

    throttle: Throttle
    clock: Clock

    def reserve(self, keys: AttemptKeys) -> Admission:
        """Admit an attempt. Wait for attempts in flight if only they exhaust the limit.

        Raises `TooManyAttempts`, or `TooBusy` if the attempts in flight take too long.
        """
        deadline = time.monotonic() + within_deadline(MAX_WAIT_SECONDS)
        while (admission := self._admit(keys)).is_queued:
            if time.monotonic() >= deadline:
                raise TooBusy
            time.sleep(random.uniform(RETRY_PAUSE_SECONDS / 2, RETRY_PAUSE_SECONDS * 3 / 2))  # noqa: S311  # spreads retries; not a secret
        return admission

    def reserve_now(self, keys: AttemptKeys) -> Admission:
        """Admit an attempt without waiting. Raises `TooManyAttempts`, also if attempts in flight exhaust the limit."""
        admission = self._admit(keys)
        if admission.is_queued:
            raise TooManyAttempts(1)
        return admission

    def fail(self, reservation: Reservation, tally: ThrottleKey | None = None) -> int:
        """Count a failure, and return the number of consecutive failures."""
        return self.throttle.fail(reservation, self.clock(), tally)

    def succeed(self, reservation: Reservation) -> None:
        """Reset the consecutive failures. Ignore an unavailable store: the reservation expires by itself."""
        with suppress(StoreUnavailable):
            self.throttle.succeed(reservation, self.clock())

    def cancel(self, reservation: Reservation) -> None:
        """Cancel the reservation of an attempt that was not verified. Ignore an unavailable store, like `succeed`."""
        with suppress(StoreUnavailable):
            self.throttle.cancel(reservation)

    def _admit(self, keys: AttemptKeys) -> Admission:
        admission = self.throttle.reserve(keys, self.clock())
        if admission.seconds_to_wait > 0:
            raise TooManyAttempts(admission.seconds_to_wait)
        return admission
