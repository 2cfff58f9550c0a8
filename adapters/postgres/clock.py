"""Database clock, on which all processes base expiry and schedules.

With local clocks, a host whose clock is wrong would delete data that other hosts still use. The time is read from the
database every few seconds and advanced by the host's monotonic clock, so changes of its wall clock have no effect.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from psycopg.rows import scalar_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from psycopg import Connection

MEASURE_INTERVAL_SECONDS = 10.0
"""Interval between two readings. Oscillators drift by less than a millisecond in this time."""

MAX_SKEW_SECONDS = 30.0
"""NTP keeps hosts within a fraction of a second, so a larger difference means that one of the clocks is wrong.
A skewed host deletes no expired data, so the limit is lower than the shortest retention of such data, a minute."""

LOG_INTERVAL_SECONDS = 60.0
"""Interval at which the log repeats that the clocks differ."""

QUERY = "SELECT clock_timestamp()"

log = structlog.get_logger(__name__)


class _Measurement(NamedTuple):
    """The database's time, and the host's monotonic seconds at that moment."""

    database_time: datetime
    monotonic_seconds: float

    def time_at(self, monotonic_seconds: float) -> datetime:
        return self.database_time + timedelta(seconds=monotonic_seconds - self.monotonic_seconds)


class DatabaseClock:
    """Callable that returns the database's time. The host's `wall_clock` is only compared with it."""

    def __init__(self, wall_clock: Callable[[], datetime]) -> None:
        self._wall_clock = wall_clock
        self._last: _Measurement | None = None
        self._next_log_at = 0.0

    def __call__(self) -> datetime:
        """Return the current time; the host's time before the first measurement."""
        return self._wall_clock() if self._last is None else self._last.time_at(_monotonic_seconds())

    @property
    def is_due(self) -> bool:
        """Whether the time has to be measured again."""
        if self._last is None:
            return True
        return _monotonic_seconds() - self._last.monotonic_seconds > MEASURE_INTERVAL_SECONDS

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

        A reading is up to one round trip old when it arrives. It is taken as current, so that this clock is never ahead
        of the database's. The previous measurement, carried on, may be up to one round trip later than the reading. It
        is then kept, so that ordinary readings do not set this clock back.
        """
        sent_at = _monotonic_seconds()
        reading = connection.cursor(row_factory=scalar_row).execute(QUERY, prepare=True).fetchone()
        received_at = _monotonic_seconds()
        if reading is not None:
            round_trip = timedelta(seconds=received_at - sent_at)
            self._last = _Measurement(self._without_setback(reading, received_at, round_trip), received_at)
        if self.is_skewed and _monotonic_seconds() >= self._next_log_at:
            self._next_log_at = _monotonic_seconds() + LOG_INTERVAL_SECONDS
            log.error("clock.skewed", skew_seconds=round(self.skew_seconds, 1))

    def _without_setback(self, reading: datetime, received_at: float, round_trip: timedelta) -> datetime:
        if self._last is None:
            return reading
        estimate = self._last.time_at(received_at)
        return estimate if reading <= estimate <= reading + round_trip else reading


def _monotonic_seconds() -> float:
    """Return monotonic seconds that include suspension, if the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
