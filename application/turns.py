"""Whoever works on the same thing in this process takes turns: rivals would only make each other begin anew."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from application.errors import TooBusy

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_WAIT = 8.0
"""Seconds that one waits for a turn, where those before wait for a database that does not answer."""

LOCKS = 1024
"""Shared by everything there is, by its number: more than there are threads, so that they seldom wait for nothing."""


class Turns:
    """Locks, by the number of what they are about."""

    def __init__(self) -> None:
        self._locks = [threading.Lock() for _ in range(LOCKS)]
        self._ended = [0] * LOCKS

    @contextmanager
    def of(self, number: int) -> Iterator[int]:
        """Hold a turn, and tell how many ended before it. Raises `TooBusy`."""
        at = number % LOCKS
        lock = self._locks[at]
        if not lock.acquire(timeout=LONGEST_WAIT):
            raise TooBusy
        try:
            yield self._ended[at]
        finally:
            self._ended[at] += 1
            lock.release()

    def ended(self, number: int) -> int | None:
        """Return how many turns have ended, None while there is one.

        If it is what a later turn is told, nobody has had one in between.
        """
        at = number % LOCKS
        ended = self._ended[at]
        return None if self._locks[at].locked() else ended
