"""Database clock, on which all processes base expiry and schedules.

With local clocks, a host whose clock is wrong would delete data that other hosts still use. The time is read from the
database every few seconds and advanced by the host's monotonic clock, so changes of its wall clock have no effect.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from psycopg.rows import scalar_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from psycopg import Connection

MEASURE_SECONDS = 10.0
"""Interval between two readings. Oscillators drift by less than a millisecond in this time."""

MAX_SKEW_SECONDS = 30.0
"""NTP keeps hosts within a fraction of a second, so a larger difference means that one of the clocks is wrong. The
shortest retention of expired data is a minute, and the limit must be lower."""

REMIND_SECONDS = 60.0

QUERY = "SELECT clock_timestamp()"

log = structlog.get_logger(__name__)


class DatabaseClock:
    """Callable that returns the database's time. The host's `wall_clock` is only compared with it."""

    def __init__(self, wall_clock: Callable[[], datetime]) -> None:
        self._wall_clock = wall_clock
        self._measured: tuple[datetime, float] | None = None
        self._remind_at = 0.0

    def __call__(self) -> datetime:
        """Return the current time; the host's time before the first measurement."""
        if self._measured is None:
            return self._wall_clock()
        measured, at = self._measured
        return measured + timedelta(seconds=_elapsed() - at)

    @property
    def is_due(self) -> bool:
        """Whether the time has to be measured again."""
        return self._measured is None or _elapsed() - self._measured[1] > MEASURE_SECONDS

    @property
    def skew_seconds(self) -> float:
        """Host time minus database time, in seconds."""
        return (self._wall_clock() - self()).total_seconds()

    @property
    def is_skewed(self) -> bool:
        """Whether the clocks differ by more than `MAX_SKEW_SECONDS`."""
        return abs(self.skew_seconds) > MAX_SKEW_SECONDS

    def measure(self, connection: Connection[Any]) -> None:
        """Read the database's time, and log a large skew.

        A reading is between zero and one round trip old when it arrives. It is taken as current, so that the clock is
        never ahead, and an estimate it could agree with is kept, so that the clock does not go back between readings.
        """
        sent = _elapsed()
        reading = connection.cursor(row_factory=scalar_row).execute(QUERY, prepare=True).fetchone()
        received = _elapsed()
        if reading is not None:
            self._measured = self._closest(reading, received, timedelta(seconds=received - sent)), received
        if self.is_skewed and _elapsed() >= self._remind_at:
            self._remind_at = _elapsed() + REMIND_SECONDS
            log.error("clock.skewed", skew_seconds=round(self.skew_seconds, 1))

    def _closest(self, reading: datetime, received: float, round_trip: timedelta) -> datetime:
        if self._measured is None:
            return reading
        measured, at = self._measured
        estimate = measured + timedelta(seconds=received - at)
        return estimate if reading <= estimate <= reading + round_trip else reading


def _elapsed() -> float:
    """Return monotonic seconds that include suspension, if the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
