"""Waiting for conditions, and running code concurrently or at a given point."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

T = TypeVar("T")

TIMEOUT_SECONDS = 20.0
"""Far longer than any condition takes, for busy machines."""


def eventually(condition: Callable[[], T], *, within: float = TIMEOUT_SECONDS, pause: float = 0.005) -> T:
    """Return the first true value of the condition; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still not after {within} seconds: {condition}"
        time.sleep(pause)
    return value


def run_concurrently(tasks: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Run the tasks concurrently, each in its own thread, and return each result or exception."""
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], T]) -> T | Exception:
        start.wait()
        try:
            return task()
        except Exception as error:  # noqa: BLE001  # the caller checks the results
            return error

    with ThreadPoolExecutor(len(tasks)) as threads:
        return list(threads.map(run, tasks))


def inject_after(monkeypatch: pytest.MonkeyPatch, owner: type, method: str, action: Callable[[], object]) -> None:
    """Run an action once, when the first call of a method has its result but has not returned it yet."""
    original = getattr(owner, method)

    def call_and_act(self: object, *arguments: Any, **keywords: Any) -> Any:
        result = original(self, *arguments, **keywords)
        monkeypatch.setattr(owner, method, original)
        action()
        return result

    monkeypatch.setattr(owner, method, call_and_act)
