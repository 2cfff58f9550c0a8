"""Arrival time of a request and earliest time of its response: a protocol between the application and its server.

All refused sign-ins have to take the same time. Our own server delays the finished response without occupying a worker
thread; under other WSGI servers the application sleeps.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

ARRIVED_AT = "subusers.arrived_at"
"""WSGI environment key, set by our server: `time.monotonic()` when it had read the request."""

RESPOND_AT = "subusers.respond_at"
"""WSGI environment key: `time.monotonic()` before which the server sends nothing.

Our server sets it to 0.0 to announce its support. The application raises it."""


def record_arrival(environ: WSGIEnvironment) -> None:
    """Record the arrival time unless the server did. Call this in the first hook of a request."""
    environ.setdefault(ARRIVED_AT, time.monotonic())


def arrived_at(environ: WSGIEnvironment) -> float:
    """Return `time.monotonic()` of the request's arrival."""
    arrival: float = environ[ARRIVED_AT]
    return arrival


def hold_response_until(environ: WSGIEnvironment, respond_at: float) -> None:
    """Delay the response until this `time.monotonic()`."""
    if RESPOND_AT in environ:
        environ[RESPOND_AT] = max(respond_at, environ[RESPOND_AT])
        return
    time.sleep(max(0.0, respond_at - time.monotonic()))
