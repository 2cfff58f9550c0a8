"""Decides whether and when a request is repeated."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

import httpx

from subusers_client.errors import ServiceUnavailable, TooManyRequests

if TYPE_CHECKING:
    from subusers_client.errors import SubusersError

REFUSED_BEFORE_EXECUTION = frozenset({"overloaded", "too-busy", "too-many-downloads", "too-many-streams"})
"""Problem types of 503 that the service answers before it executes the request."""

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""Failures before the request was sent."""


class Repeatable(Enum):
    """When a request may be sent again."""

    ALWAYS = auto()
    """Executing it twice has the effect of executing it once."""

    UNLESS_EXECUTED = auto()
    """Only if the earlier attempt was certainly not executed."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off with jitter. The time limit of a request is the actual end of its attempts."""

    first_pause: float = 0.1
    longest_pause: float = 2.0
    most_attempts: int = 8

    def pause(self, attempt: int, retry_after: float | None) -> float:
        """Return the seconds to wait after an attempt, counted from 1."""
        longest = min(self.longest_pause, self.first_pause * 2 ** (attempt - 1))
        jittered = longest * random.uniform(0.5, 1.0)  # noqa: S311  # jitter needs no security
        return jittered if retry_after is None else retry_after + random.uniform(0.0, self.first_pause)  # noqa: S311


def was_executed(error: SubusersError | httpx.RequestError | TimeoutError) -> bool | None:
    """Return whether the service executed a failed request; None if that is unknown."""
    if isinstance(error, httpx.RequestError | TimeoutError):
        return False if isinstance(error, NOT_SENT) else None
    is_refusal = error.status is not None and 400 <= error.status < 500
    return False if is_refusal or error.problem_type in REFUSED_BEFORE_EXECUTION else None


def is_temporary(error: SubusersError) -> bool:
    """Return whether the service may accept the same request later."""
    return isinstance(error, ServiceUnavailable | TooManyRequests) or error.problem_type == "request-in-progress"


class EventPositions:
    """The highest position of own commands, shared by all clients on one connection pool."""

    def __init__(self) -> None:
        self.highest: int | None = None
        self._lock = threading.Lock()

    def record(self, text: str | None) -> None:
        """Remember the position of a response, if it is the highest."""
        if text is not None and text.isascii() and text.isdecimal():
            with self._lock:
                self.highest = max(self.highest or 0, int(text))
