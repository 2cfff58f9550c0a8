"""Retention of the audit log. The event store itself keeps every event."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from datetime import timedelta

    from application.ports.clock import Clock
    from projections.runtime.freshness import Database

SQL = statements("projections.audit_log", "retention")

MAX_ROWS_PER_STEP = 1000
MAX_DAYS_PER_STEP = 50
"""Days of sub-users, with at most 192 rows of counts each: 96 quarters of an hour, of the sub-user and the account."""

BEGINNING_OF_TIME = datetime.min.replace(tzinfo=UTC)


class AuditRetention:
    """Removes old rows from the audit log, and old counts from its charts, by whole UTC days.

    A row expires by the time at which its event was recorded, a count by the time at which its events occurred.
    """

    def __init__(self, retention: timedelta | None, clock: Clock) -> None:
        self._retention = retention
        self._clock = clock

    @property
    def retained_since(self) -> datetime:
        """Start of the retained period: a UTC midnight, or the beginning of time if rows are kept forever."""
        if self._retention is None:
            return BEGINNING_OF_TIME
        return datetime.combine((self._clock() - self._retention).astimezone(UTC).date(), time.min, UTC)

    def step(self, database: Database) -> int:
        """Remove some expired rows, and return their number."""
        if self._retention is None:
            return 0
        before = self.retained_since
        with database.get_connection() as connection:
            rows = connection.execute(SQL["retire_rows"], {"before": before, "limit": MAX_ROWS_PER_STEP}).rowcount
            return (
                rows + connection.execute(SQL["drop_counts"], {"before": before, "limit": MAX_DAYS_PER_STEP}).rowcount
            )
