"""Lanes: separate thread pools for kinds of requests, so that they do not delay each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.bootstrap.config import Settings


class Lane(StrEnum):
    """Kinds of requests, each with its own threads. Those of `DOWNLOADS` and `EVENTS` also produce streamed chunks."""

    HEALTH = "health"
    CRITICAL = "critical"
    PORTAL_SIGN_IN = "portal sign-in"
    CONSOLE_SIGN_IN = "console sign-in"
    READS = "reads"
    WRITES = "writes"
    EVENTS = "events"
    DOWNLOADS = "downloads"


LANES = {
    ("GET", "/healthz"): Lane.HEALTH,
    ("GET", "/readyz"): Lane.CRITICAL,
    ("POST", "/v1/sessions/introspect"): Lane.CRITICAL,
    ("POST", "/oauth2/introspect"): Lane.CRITICAL,
    ("POST", "/v1/sessions"): Lane.PORTAL_SIGN_IN,
    ("POST", "/v1/sessions/current/second-factor"): Lane.PORTAL_SIGN_IN,
    ("POST", "/v1/sessions/passkey"): Lane.PORTAL_SIGN_IN,
    ("POST", "/login"): Lane.CONSOLE_SIGN_IN,
    ("GET", "/v1/events/stream"): Lane.EVENTS,
}
"""Other requests are reads or writes by their method. Password changes are writes: strength estimates run one at a time
and must not occupy the threads of sign-ins."""

LONG_POLL = "/v1/events"


def lane_of(method: str, path: str, query: str) -> Lane:
    """Return the lane of a request."""
    if path == LONG_POLL and "wait=" in query:
        return Lane.EVENTS
    is_read = method in {"GET", "HEAD"}
    return LANES.get(("GET" if is_read else method, path), Lane.READS if is_read else Lane.WRITES)


@dataclass(frozen=True)
class LaneLimits:
    """Threads of a lane, requests that may wait for one, and the longest wait in seconds."""

    threads: int
    queue_limit: int
    queue_seconds: float


def lane_limits(settings: Settings) -> dict[Lane, LaneLimits]:
    """Return the limits of every lane of a server process.

    Reads and writes have separate threads, because writes that wait for a lock or for a lost synchronous standby occupy
    all of theirs. A sign-in takes about 25 ms of CPU time, so one core works through a queue of 256 within its
    deadline. Few threads produce downloads, because they compete with short requests for the GIL. Event readers beyond
    `settings.max_streams` are refused by the application, which needs the two additional threads for that.
    """
    return {
        Lane.HEALTH: LaneLimits(1, 256, 5.0),
        Lane.CRITICAL: LaneLimits(settings.critical_threads, 512, 5.0),
        Lane.PORTAL_SIGN_IN: LaneLimits(settings.sign_in_threads, 256, 10.0),
        Lane.CONSOLE_SIGN_IN: LaneLimits(settings.console_sign_in_threads, 128, 10.0),
        Lane.READS: LaneLimits(settings.read_threads, 512, 5.0),
        Lane.WRITES: LaneLimits(settings.write_threads, 512, 5.0),
        Lane.EVENTS: LaneLimits(settings.max_streams + 2, 256, 5.0),
        Lane.DOWNLOADS: LaneLimits(settings.download_threads, 512, 60.0),
    }
