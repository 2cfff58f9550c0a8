"""Counts failed attempts, across every process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections.round_trips import rows_of
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eventsourcing.postgres import PostgresDatastore

    from application.attempts import AttemptKeys

SQL = statements("adapters.postgres", "throttle")


class PostgresThrottle:
    """The counts, in the table `throttle`; they are forgiven as records."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def seconds_to_wait(self, keys: Sequence[bytes], now: datetime) -> float:
        """Return for how long none of these may try, 0 if they may."""
        with self._database.get_connection() as connection:
            ((seconds,),) = rows_of(connection, SQL["longest_block"], {"keys": list(keys), "now": now})
        return float(seconds)

    def failures(self, key: bytes) -> int:
        """Return how many failures in a row there were under this key."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["count_failures"], {"key": key}).fetchone()
        return int(row["failures"]) if row is not None else 0

    def failed(self, keys: AttemptKeys, now: datetime) -> int:
        """Count a failure under each key, and return how many there were in a row from anywhere."""
        notes = {keys.delayed: SQL["note_delayed_failure"], keys.counted: SQL["note_counted_failure"]}
        if keys.per_minute is not None:
            notes[keys.per_minute] = SQL["note_failure_per_minute"]
        row = None
        with self._database.get_connection() as connection, connection.transaction():
            for key in sorted(notes):  # as forgiving does, so that no two wait for each other
                done = connection.execute(notes[key], {"key": key, "now": now})
                row = done.fetchone() if key == keys.counted else row
        return int(row["failures"]) if row is not None else 1
