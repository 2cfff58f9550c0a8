"""Recorder that keeps only the latest snapshot of each account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventsourcing.postgres import PostgresAggregateRecorder

from adapters.postgres.prepared_statements import execute_transaction
from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.persistence import StoredEvent

SQL = statements("adapters.postgres.event_store", "snapshots")


class SnapshotRecorder(PostgresAggregateRecorder):
    """The eventsourcing library's aggregate recorder, which deletes older snapshots on insert."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Insert snapshots, and delete older ones of the same accounts. Return None: snapshots have no position."""
        with self.datastore.get_connection() as connection:
            execute_transaction(connection, [(SQL["replace_snapshot"], vars(stored)) for stored in stored_events])
        return None
