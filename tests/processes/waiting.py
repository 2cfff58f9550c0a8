"""Waiting for other processes, with a long timeout and pauses that leave the CPU to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tests.waiting import eventually as eventually_within

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

TIMEOUT_SECONDS = 60.0
PAUSE_SECONDS = 0.05


def eventually(condition: Callable[[], T]) -> T:
    """Poll a condition; return its first true value."""
    return eventually_within(condition, within=TIMEOUT_SECONDS, pause=PAUSE_SECONDS)
