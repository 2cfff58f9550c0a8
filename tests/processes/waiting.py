"""Waiting for other processes: patiently, and with pauses that leave them the cores."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tests.waiting import eventually as eventually_here

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LONGEST = 60.0
PAUSE = 0.05


def eventually(condition: Callable[[], T]) -> T:
    """Return the first true value that the condition comes to."""
    return eventually_here(condition, within=LONGEST, pause=PAUSE)
