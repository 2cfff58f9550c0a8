"""Stored checkpoints of the Merkle tree, and the public keys that signed them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg import Connection

    from application.pagination_cursors import Cursors
    from projections.runtime.freshness import Database

SQL = statements("projections.transparency", "checkpoints")
CURSOR_SCOPE = ["checkpoints"]


@dataclass(frozen=True)
class StoredCheckpoint:
    """A stored checkpoint. `position` is the position of its last event."""

    number: int
    tree_size: int
    position: int
    signed_at: datetime
    note: str


@dataclass(frozen=True)
class SigningKey:
    """A public key that signs from `since` on. The tree had `tree_size` leaves then."""

    number: int
    verifier_key: str
    tree_size: int
    since: datetime


class Checkpoints:
    """Queries of checkpoints and signing keys."""

    def __init__(self, database: Database, cursors: Cursors) -> None:
        self._database = database
        self._cursors = cursors

    def newest(self) -> StoredCheckpoint | None:
        """Return the newest checkpoint, or None."""
        with self._database.get_connection() as connection:
            return newest_checkpoint(connection)

    def of_size(self, tree_size: int) -> StoredCheckpoint | None:
        """Return the checkpoint of this tree size, or None."""
        with self._database.get_connection() as connection:
            rows = _checkpoints(connection, "of_size", {"tree_size": tree_size})
        return rows[0] if rows else None

    def page(self, limit: int, cursor: str | None) -> tuple[Sequence[StoredCheckpoint], str | None]:
        """Return a page, newest first, and the cursor of the next page. Raises `InvalidValue`."""
        before = self._cursors.read(CURSOR_SCOPE, cursor)[0] if cursor else 2**63 - 1
        with self._database.get_connection() as connection:
            rows = _checkpoints(connection, "page", {"before": before, "limit": limit + 1})
        has_more = len(rows) > limit
        return rows[:limit], self._cursors.write(CURSOR_SCOPE, [rows[limit - 1].number]) if has_more else None

    def daily(self, since: datetime, until: datetime, max_tree_size: int) -> Sequence[StoredCheckpoint]:
        """Return the last checkpoint before `since`, and the last one of each UTC day from `since` to before `until`.

        Oldest first, without those of larger trees than `max_tree_size`.
        """
        parameters = {"since": since, "until": until, "max_tree_size": max_tree_size}
        with self._database.get_connection() as connection:
            return _checkpoints(connection, "daily", parameters)

    def successions(self) -> tuple[str, ...]:
        """Return the notes that hand over from one signing key to the next, oldest first."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["successions"]).fetchall()
        return tuple(row["note"] for row in rows)

    def signing_keys(self) -> Sequence[SigningKey]:
        """Return the public keys, the current one last."""
        with self._database.get_connection() as connection:
            return signing_keys(connection)


def newest_checkpoint(connection: Connection[Any]) -> StoredCheckpoint | None:
    """Return the newest checkpoint, or None."""
    rows = _checkpoints(connection, "newest", {})
    return rows[0] if rows else None


def signing_keys(connection: Connection[Any]) -> Sequence[SigningKey]:
    """Return the public keys, the current one last."""
    return connection.cursor(row_factory=class_row(SigningKey)).execute(SQL["keys"]).fetchall()


def _checkpoints(connection: Connection[Any], statement: str, parameters: dict[str, Any]) -> Sequence[StoredCheckpoint]:
    cursor = connection.cursor(row_factory=class_row(StoredCheckpoint))
    return cursor.execute(SQL[statement], parameters).fetchall()
