"""Keeps the latest snapshot of each account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventsourcing.postgres import PostgresAggregateRecorder

from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.persistence import StoredEvent

SQL = statements("adapters.postgres", "snapshots")


class SnapshotRecorder(PostgresAggregateRecorder):
    """The library's recorder, which drops what a newer snapshot makes superfluous."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Write snapshots, and delete those that came before them."""
        with self.datastore.get_connection() as connection:
            for stored in stored_events:
                connection.execute(SQL["keep"], vars(stored), prepare=True)
        return None
