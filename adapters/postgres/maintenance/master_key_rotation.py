"""Rotation of the master key: rewraps keys and secrets with the current one, while the service runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from eventsourcing.postgres import PostgresDatastore
    from psycopg.rows import DictRow

    from adapters.encryption import MasterKeys

SQL = statements("adapters.postgres.maintenance", "master_key_rotation")

TABLES = ("service_keys", "vault", "webhooks", "webhook_secrets")
ROWS_PER_STEP = 200
"""A step is one transaction. It takes some milliseconds, during which commands on these rows wait."""

PAUSE_SECONDS = 0.1
"""Pause before the next pass, if commands held the locks of all remaining rows."""


class MasterKeyRotation:
    """Rewraps all rows whose master key is not the current one. An interrupted run can be repeated.

    A step skips rows that are locked by a command, so that it never waits while it holds locks itself, and rows that
    have changed since it read them. A later pass rewraps the rows that were skipped.
    """

    def __init__(self, database: PostgresDatastore, master_keys: MasterKeys) -> None:
        self._database = database
        self._master_keys = master_keys

    def count_by_key(self) -> Mapping[str, int]:
        """Return the number of rows wrapped by each master key, by key id."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["count_by_key"]).fetchall()
        return {row["master_key_id"]: row["wrapped_rows"] for row in rows}

    @property
    def current_id(self) -> str:
        """Id of the current master key."""
        return self._master_keys.current_id

    def count_outdated(self) -> int:
        """Return the number of rows not wrapped by the current master key."""
        return sum(row_count for key_id, row_count in self.count_by_key().items() if key_id != self.current_id)

    def run(self, progress: Callable[[int], None]) -> int:
        """Rewrap all rows with the current master key, and return their number. Raises `UnknownMasterKey`.

        `progress` is called after each step with the number of rows rewrapped in it.
        """
        total = 0
        while self.count_outdated():
            total_before = total
            for table in TABLES:
                for rewrapped in self._rewrap_table(table):
                    total += rewrapped
                    progress(rewrapped)
            if total == total_before:  # the remaining rows are locked by commands
                time.sleep(PAUSE_SECONDS)
        return total

    def _rewrap_table(self, table: str) -> Iterator[int]:
        after: Any = None
        while rows := self._next_rows(table, after):
            yield self._rewrap(table, rows)
            after = rows[-1]["id"]

    def _next_rows(self, table: str, after: Any) -> Sequence[DictRow]:
        parameters = {"current": self.current_id, "after": after, "limit": ROWS_PER_STEP}
        with self._database.get_connection() as connection:
            return connection.execute(SQL[f"next_{table}"], parameters).fetchall()

    def _rewrap(self, table: str, rows: Sequence[DictRow]) -> int:
        master_keys = self._master_keys
        plaintexts = [master_keys.unwrap(row["owner"], row["master_key_id"], row["wrapped"]) for row in rows]
        parameters = {
            "current": self.current_id,
            "ids": [row["id"] for row in rows],
            "wrapped": [row["wrapped"] for row in rows],
            "rewrapped": [master_keys.wrap(row["owner"], data) for row, data in zip(rows, plaintexts, strict=True)],
        }
        with self._database.get_connection() as connection:
            return connection.execute(SQL[f"rewrap_{table}"], parameters).rowcount
