"""Deadline for all waits of the request that the current thread processes, and their total time.

Each wait has its own limit. If the database does not respond, a client would otherwise wait for the sum of the limits:
for the lock on the account, for a connection, and for the response.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST_SECONDS = 8.0
"""Seconds from the arrival of a request, including its wait for a thread."""

MIN_SECONDS = 2.0
"""Minimum after a long wait for a thread: many times the duration of a typical request."""

MIN_WAIT_SECONDS = 0.05
"""Limit of a wait after the deadline. A database that responds can end a transaction in this time."""


class _Current(threading.local):
    deadline: float | None = None
    database_seconds: float = 0.0


_current = _Current()


@contextmanager
def request_deadline(arrived_at: float) -> Iterator[None]:
    """Limit the waits of this thread inside the block. `arrived_at` is a `time.monotonic()` value."""
    _current.deadline = max(arrived_at + REQUEST_SECONDS, time.monotonic() + MIN_SECONDS)
    try:
        yield
    finally:
        _current.deadline = None


def add_database_time(seconds: float) -> None:
    """Add the time of a database exchange of this thread."""
    _current.database_seconds += seconds


def database_seconds() -> float:
    """Return how long this thread has waited for the database so far. The difference of two values is a request's."""
    return _current.database_seconds


def within_deadline(seconds: float) -> float:
    """Return this limit in seconds, or the time until the request's deadline if that is shorter."""
    deadline = _current.deadline
    if deadline is None:
        return seconds
    return min(seconds, max(MIN_WAIT_SECONDS, deadline - time.monotonic()))
