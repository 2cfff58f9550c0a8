"""Time limits of single attempts: httpx limits each step of a request, but not all of them together."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

SHARE_TO_CONNECT = 1 / 3
"""Share of the time to wait for a free connection, to connect, and to negotiate TLS: each step has this limit."""

SHARE_OF_PART = 1 / 4
"""Share of the remaining time to wait for each part of the body. All parts have the same limit in httpcore."""

LATER_STEPS = ("send_request_headers.started", "send_request_body.started", "receive_response_headers.started")
BODY_STEP = "receive_response_body.started"
"""Ends of the names of httpcore's trace events at which a step begins that reads its time limit afterwards."""


class Deadline:
    """Limits one attempt of the sync client.

    The limits of httpx are shortened at each step, and `check` is called for each part of the body. A look-up of a name
    by the operating system cannot be interrupted.
    """

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._timeouts = _timeouts(seconds)
        self._seconds_of_part = 0.0

    @property
    def extensions(self) -> dict[str, Any]:
        """The extensions of the httpx request."""
        return {"timeout": self._timeouts, "trace": self._shorten}

    def check(self) -> None:
        """Raise TimeoutError if waiting for another part of the body could take too long."""
        if time.monotonic() + self._seconds_of_part > self._ends_at:
            raise TimeoutError("the response took too long")

    def _shorten(self, step: str, _details: Mapping[str, Any]) -> None:
        remaining = max(0.001, self._ends_at - time.monotonic())
        if step.endswith(LATER_STEPS):
            self._timeouts.update(write=remaining, read=remaining)
        elif step.endswith(BODY_STEP):
            self._seconds_of_part = remaining * SHARE_OF_PART
            self._timeouts["read"] = self._seconds_of_part

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class AsyncDeadline:
    """Limits one attempt of the async client, by cancelling it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stack = ExitStack()

    @property
    def extensions(self) -> dict[str, Any]:
        """The extensions of the httpx request."""
        return {"timeout": _timeouts(self._seconds)}

    def check(self) -> None:
        """Do nothing: the attempt is cancelled at its end."""

    def __enter__(self) -> Self:
        self._stack.enter_context(anyio.fail_after(self._seconds))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)


def _timeouts(seconds: float) -> dict[str, float]:
    to_connect = seconds * SHARE_TO_CONNECT
    return {"pool": to_connect, "connect": to_connect, "write": seconds, "read": seconds}
