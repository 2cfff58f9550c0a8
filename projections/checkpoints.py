"""Checkpoints of the Merkle tree, and the keys that signed them, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg import Connection

    from projections.cursors import Cursors
    from projections.freshness import Database

SQL = statements("projections", "checkpoints")
SCOPE = ["checkpoints"]


@dataclass(frozen=True)
class StoredCheckpoint:
    """A checkpoint as it is kept. `position` is that of the last event in it."""

    number: int
    tree_size: int
    position: int
    signed_at: datetime
    note: str


@dataclass(frozen=True)
class SigningKey:
    """A public key, and since when it signs: `tree_size` events were there then."""

    number: int
    verifier_key: str
    tree_size: int
    since: datetime


class Checkpoints:
    """Reads checkpoints."""

    def __init__(self, database: Database, cursors: Cursors) -> None:
        self._database = database
        self._cursors = cursors

    def newest(self) -> StoredCheckpoint | None:
        """Return the last checkpoint, None if there is none yet."""
        with self._database.get_connection() as connection:
            return newest_checkpoint(connection)

    def of_size(self, size: int) -> StoredCheckpoint | None:
        """Return the checkpoint of so many events, None if there is none."""
        with self._database.get_connection() as connection:
            rows = _checkpoints(connection, "of_size", {"size": size})
        return rows[0] if rows else None

    def page(self, limit: int, cursor: str | None) -> tuple[Sequence[StoredCheckpoint], str | None]:
        """Return a page, newest first, and the cursor of the next. Raises `InvalidValue`."""
        before = self._cursors.read(SCOPE, cursor)[0] if cursor else 2**63 - 1
        with self._database.get_connection() as connection:
            rows = _checkpoints(connection, "page", {"before": before, "limit": limit + 1})
        more = len(rows) > limit
        return rows[:limit], self._cursors.write(SCOPE, [rows[limit - 1].number]) if more else None

    def signing_keys(self) -> Sequence[SigningKey]:
        """Return the public keys, the current one last."""
        with self._database.get_connection() as connection:
            return signing_keys(connection)


def newest_checkpoint(connection: Connection[Any]) -> StoredCheckpoint | None:
    """Return the last checkpoint, None if there is none yet."""
    rows = _checkpoints(connection, "newest", {})
    return rows[0] if rows else None


def signing_keys(connection: Connection[Any]) -> Sequence[SigningKey]:
    """Return the public keys, the current one last."""
    return connection.cursor(row_factory=class_row(SigningKey)).execute(SQL["keys"]).fetchall()


def _checkpoints(connection: Connection[Any], statement: str, asked: dict[str, Any]) -> Sequence[StoredCheckpoint]:
    cursor = connection.cursor(row_factory=class_row(StoredCheckpoint))
    return cursor.execute(SQL[statement], asked).fetchall()
