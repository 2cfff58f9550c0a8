"""Response time of refused logins, independent of the cause of the refusal (ASVS 6.3.8)."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask.globals import request_ctx

from api.server.response_timing import arrived_at, hold_response_until
from application.errors import InvalidValue, TooManyAttempts
from domain.refusals import LoginRefused, SecondFactorWrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from wsgiref.types import WSGIEnvironment

REFUSAL_INTERVAL_SECONDS = 0.5
"""Refusals are sent at multiples of this time after the request's arrival.

Measured: a refusal takes about 40 ms of work, and eight concurrent ones take about 200 ms on two cores. With
`RECORDING_TIME_SHARE` added, that is below this time."""

RECORDING_TIME_SHARE = 0.25
"""Time reserved for recording a refusal, as a share of the time elapsed before it.

Recording takes longer for some causes than for others, so the time of the response is fixed before it."""

RECORDING_SECONDS = 0.05
"""Time reserved for recording a refusal, in addition to the share."""


@contextmanager
def uniform_refusals() -> Iterator[Callable[[], None]]:
    """Delay refusals to a multiple of `REFUSAL_INTERVAL_SECONDS` after the request's arrival.

    Yields a function that fixes when to respond. Call it as soon as the password has been checked, right or wrong.
    """
    response_time = _ResponseTime(request_ctx.request.environ)
    with _held_refusals(response_time):
        yield response_time.fix


@contextmanager
def uniform_responses() -> Iterator[Callable[[], None]]:
    """Delay successes as `uniform_refusals` delays refusals, for requests whose success must reveal nothing either.

    Yields a function that fixes when to respond. Call it before the work whose duration depends on the person.
    """
    response_time = _ResponseTime(request_ctx.request.environ)
    with _held_refusals(response_time):
        yield response_time.fix
    response_time.hold()


@contextmanager
def _held_refusals(response_time: _ResponseTime) -> Iterator[None]:
    try:
        yield
    except (LoginRefused, SecondFactorWrong, TooManyAttempts, InvalidValue) as refusal:
        # Other invalid values, such as a weak new password, reveal nothing about the current one.
        if isinstance(refusal, InvalidValue) and refusal.field != "current_password":
            raise
        response_time.hold()
        raise


class _ResponseTime:
    """Time at which to respond to a request."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ = environ
        self._respond_at: float | None = None

    def fix(self) -> None:
        """Fix the time, before work whose duration depends on the person."""
        self._respond_at = _respond_at_after_recording(self._environ)

    def hold(self) -> None:
        """Hold the response until the fixed time, or until a later multiple if that has passed."""
        respond_at = self._respond_at
        if respond_at is None:
            respond_at = _respond_at_after_recording(self._environ)
        hold_response_until(self._environ, max(respond_at, _next_respond_at(self._environ, _elapsed(self._environ))))


def _respond_at_after_recording(environ: WSGIEnvironment) -> float:
    """Return the `time.monotonic()` at which to respond if recording the refusal begins now."""
    return _next_respond_at(environ, _elapsed(environ) * (1 + RECORDING_TIME_SHARE) + RECORDING_SECONDS)


def _next_respond_at(environ: WSGIEnvironment, elapsed: float) -> float:
    """Return the `time.monotonic()` of the first multiple at least `elapsed` seconds after the arrival."""
    intervals = math.ceil(elapsed / REFUSAL_INTERVAL_SECONDS)
    return arrived_at(environ) + intervals * REFUSAL_INTERVAL_SECONDS


def _elapsed(environ: WSGIEnvironment) -> float:
    """Return the seconds since the request's arrival."""
    return time.monotonic() - arrived_at(environ)
