"""Reads of the global event order, up to the settled position (see `sql/appending.sql`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import StoredEvent
from psycopg.rows import scalar_row

from adapters.postgres.prepared_statements import named_row
from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

SQL = statements("adapters.postgres.event_store", "settled_reads")


@dataclass(frozen=True)
class RecordedEvent:
    """A stored event and its position in the global order."""

    position: int
    stored: StoredEvent


def settled_position(connection: Connection[Any]) -> int:
    """Return the position of the last event before which no further event can appear.

    Read events by a later statement. The result can be lower than an earlier one, if a writer was delayed; positions
    up to the earlier one remain settled.
    """
    return _position(connection, "settled_position")


def recorded_position(connection: Connection[Any]) -> int:
    """Return the position of the last committed event; transactions with earlier positions may still be open."""
    return _position(connection, "recorded_position")


def _position(connection: Connection[Any], statement: str) -> int:
    return int(connection.cursor(row_factory=scalar_row).execute(SQL[statement], prepare=True).fetchone() or 0)


def events_after(connection: Connection[Any], position: int, limit: int) -> Sequence[RecordedEvent]:
    """Return up to `limit` settled events after a position, in order."""
    max_position = settled_position(connection)
    if max_position <= position:
        return []
    cursor = connection.cursor(row_factory=named_row, binary=True)  # decoding rows is most of a batch's cost
    parameters = {"after_position": position, "max_position": max_position, "limit": limit}
    rows = cursor.execute(SQL["events_between"], parameters, prepare=True)
    return [recorded_event(row) for row in rows]


def recorded_event(row: Any) -> RecordedEvent:
    """Return the event of a row of `stored_events`, whose column `notification_id` was selected as `position`."""
    stored = StoredEvent(row.originator_id, row.originator_version, row.topic, row.state)
    return RecordedEvent(row.position, stored)
