"""Waiting for what happens elsewhere: for a condition, never for a while."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

LONGEST = 20.0
"""Seconds until a test gives up: far longer than anything takes, for busy machines."""


def eventually(condition: Callable[[], T], *, within: float = LONGEST, pause: float = 0.005) -> T:
    """Return the first true value that the condition comes to."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still not after {within} seconds: {condition}"
        threading.Event().wait(pause)
    return value


def at_once(tasks: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Run all of these at the same time, each in a thread of its own, and return what each came to."""
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], T]) -> T | Exception:
        start.wait()
        try:
            return task()
        except Exception as error:  # noqa: BLE001  # that is what it came to
            return error

    with ThreadPoolExecutor(len(tasks)) as threads:
        return list(threads.map(run, tasks))
