"""For how long the audit log shows what happened. The history keeps it in any case."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from projections.statements import statements

if TYPE_CHECKING:
    from datetime import timedelta

    from application.ports import Clock
    from projections.freshness import Database

SQL = statements("projections", "audit_retention")

ROWS_A_STEP = 1000
DAYS_A_STEP = 50
"""At most 9,600 rows of counts: 96 quarters of an hour, of a sub-user and of the account."""

BEGINNING = datetime.min.replace(tzinfo=UTC)


class AuditRetention:
    """Takes rows out of the audit log, and counts out of its charts, by whole days (UTC).

    Rows go by when they were recorded, whenever what they tell is said to have happened; counts by when it happened.
    """

    def __init__(self, retention: timedelta | None, clock: Clock) -> None:
        self._retention = retention
        self._clock = clock

    @property
    def begins(self) -> datetime:
        """Since when there are rows: the beginning of a day, that of time if they are kept for ever."""
        if self._retention is None:
            return BEGINNING
        return datetime.combine((self._clock() - self._retention).astimezone(UTC).date(), time.min, UTC)

    def step(self, database: Database) -> int:
        """Take some of what has had its time, and return how much that was."""
        if self._retention is None:
            return 0
        before = self.begins
        with database.get_connection() as connection:
            rows = connection.execute(SQL["retire_rows"], {"before": before, "limit": ROWS_A_STEP}).rowcount
            return rows + connection.execute(SQL["drop_counts"], {"before": before, "limit": DAYS_A_STEP}).rowcount
