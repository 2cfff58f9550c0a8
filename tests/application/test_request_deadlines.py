"""Request deadlines, which limit every wait of a request."""

from __future__ import annotations

import threading
import time

import pytest

from application.errors import TooBusy
from application.keyed_locks import KeyedLocks
from application.request_deadlines import MIN_SECONDS, REQUEST_SECONDS, request_deadline, within_deadline


def test_wait_is_limited_by_the_deadline() -> None:
    """A late request keeps a short minimum wait; without a request, waits are not limited."""
    now = time.monotonic()
    with request_deadline(now - 1):
        assert within_deadline(1) == 1
        assert REQUEST_SECONDS - 2 < within_deadline(60) <= REQUEST_SECONDS - 1
    with request_deadline(now - 60):
        assert 0 < within_deadline(60) <= MIN_SECONDS
    assert within_deadline(60) == 60


def test_deadline_applies_to_one_thread() -> None:
    waits: list[float] = []
    with request_deadline(time.monotonic()):
        thread = threading.Thread(target=lambda: waits.append(within_deadline(60)))
        thread.start()
        thread.join()
    assert waits == [60]


def test_wait_for_a_lock_ends_at_the_deadline() -> None:
    locks = KeyedLocks()
    start = time.monotonic()

    def wait_for_lock() -> None:
        with request_deadline(start - 60), pytest.raises(TooBusy), locks.hold(1):
            raise AssertionError

    with locks.hold(1):
        thread = threading.Thread(target=wait_for_lock)
        thread.start()
        thread.join()
    assert time.monotonic() - start > MIN_SECONDS - 0.5
