"""The history in the order of its positions, as far as it is settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventsourcing.persistence import StoredEvent
from psycopg.rows import tuple_row

from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from psycopg import Connection

SQL = statements("projections", "event_log")


@dataclass(frozen=True)
class Positioned:
    """A stored event, and its position in the history."""

    position: int
    stored: StoredEvent


def settled_position(connection: Connection[Any]) -> int:
    """Return the position of the last event before which nothing can appear any more; what to read, read after this.

    It may be a little lower than it was a moment ago, when a writer has been slow; what was settled is so still.
    """
    return _position(connection, "settled_position")


def recorded_position(connection: Connection[Any]) -> int:
    """Return the position of the last event there is; earlier ones may still appear before it."""
    return _position(connection, "recorded_position")


def _position(connection: Connection[Any], statement: str) -> int:
    row = connection.cursor(row_factory=tuple_row).execute(SQL[statement], prepare=True).fetchone()
    return int(row[0]) if row else 0


def events_after(connection: Connection[Any], position: int, limit: int) -> Sequence[Positioned]:
    """Return the next settled events, at most `limit`."""
    bound = settled_position(connection)
    if bound <= position:
        return []
    cursor = connection.cursor(row_factory=tuple_row, binary=True)  # what a batch costs is mostly the reading of rows
    rows = cursor.execute(SQL["events_between"], {"after": position, "upto": bound, "limit": limit}, prepare=True)
    return [Positioned(row[0], StoredEvent(row[1], row[2], row[3], row[4])) for row in rows.fetchall()]
