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

    @contextmanager
    def of(self, number: int) -> Iterator[None]:
        """Hold a turn. Raises `TooBusy`."""
        lock = self._locks[number % LOCKS]
        if not lock.acquire(timeout=LONGEST_WAIT):
            raise TooBusy
        try:
            yield
        finally:
            lock.release()
