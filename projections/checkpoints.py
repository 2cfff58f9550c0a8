"""Checkpoints of the Merkle tree: signing them when they are due, and reading them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog
from psycopg.rows import class_row

from application.checkpoints import Checkpoint, Handover
from application.signed_notes import VerifierKey, sign
from projections.merkle_tree import position_of_leaf, root_at, tree_size
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from psycopg import Connection

    from application.ports import Clock
    from application.signed_notes import Signer
    from projections.cursors import Cursors
    from projections.freshness import Database

SQL = statements("projections", "checkpoints")

MOST_EVENTS = 1000
LONGEST = timedelta(seconds=60)
"""A checkpoint is made as soon as so many events have no other yet, or when the last one is so old."""

NO_MORE_THAN = 100
"""Checkpoints signed in one transaction."""

SCOPE = ["checkpoints"]

log = structlog.get_logger(__name__)


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


class KeyNotHeld(Exception):
    """The key that signs the checkpoints of this store is not among the given ones."""


class Checkpoints:
    """Reads checkpoints."""

    def __init__(self, database: Database, cursors: Cursors) -> None:
        self._database = database
        self._cursors = cursors

    def newest(self) -> StoredCheckpoint | None:
        """Return the last checkpoint, None if there is none yet."""
        with self._database.get_connection() as connection:
            return _newest(connection)

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
            return _keys(connection)

    def uncovered(self) -> int:
        """Return how many events of the tree have no checkpoint yet."""
        with self._database.get_connection() as connection:
            newest = _newest(connection)
            return tree_size(connection) - (newest.tree_size if newest is not None else 0)


class Checkpointer:
    """Signs checkpoints. `signers` gives the private keys at hand, as they are now; a new store is named once."""

    def __init__(
        self,
        database: Database,
        signers: Callable[[], Sequence[Signer]],
        clock: Clock,
        new_name: Callable[[], str] = lambda: f"subusers/{uuid4()}",
    ) -> None:
        self._database = database
        self._signers = signers
        self._clock = clock
        self._new_name = new_name

    def make_due(self) -> int:
        """Sign what is due, and return how many checkpoints that was. Raises `KeyNotHeld`."""
        return self._make(_due)

    def make_now(self) -> int:
        """Sign a checkpoint of what has none yet, due or not. Raises `KeyNotHeld`."""
        return self._make(lambda newest, size, _: [size] if size > _size(newest) else [])

    def make_of(self, sizes: Sequence[int]) -> int:
        """Sign checkpoints of these sizes, as far as the tree has come. Raises `KeyNotHeld`."""
        return self._make(lambda _newest, size, _at: [one for one in sizes if one <= size])

    def verifier_key(self) -> VerifierKey:
        """Return the public key that signs now; the first of those at hand, if none has signed yet."""
        with self._turn() as connection:
            return self._current(connection)

    def require_key(self) -> None:
        """Raise `KeyNotHeld` unless checkpoints can be signed with the keys at hand."""
        with self._turn() as connection:
            self._signer(self._current(connection))

    def hand_over(self, *, without_former: bool = False) -> tuple[VerifierKey, VerifierKey]:
        """Have the first of the keys at hand sign from now on; return the former key and this one.

        Both sign a checkpoint that says so, unless the former is lost. Raises `KeyNotHeld`.
        """
        with self._turn() as connection:
            former = self._current(connection)
            current = VerifierKey(former.name, self._signers()[0].public_key)
            if current != former:
                signers = [] if without_former else [self._signer(former)]
                size = tree_size(connection)
                self._add_key(connection, current, size)
                handover = None if without_former else Handover(former, current)
                self._sign(connection, current, [size], [*signers, self._signer(current)], handover)
        return former, current

    def _make(self, sizes: Callable[[StoredCheckpoint | None, int, datetime], Sequence[int]]) -> int:
        with self._turn() as connection:
            wanted = sizes(_newest(connection), tree_size(connection), self._clock())
            if wanted:
                key = self._current(connection)
                self._sign(connection, key, wanted, [self._signer(key)])
        return len(wanted)

    def _sign(
        self,
        connection: Connection[Any],
        key: VerifierKey,
        sizes: Sequence[int],
        signers: Sequence[Signer],
        handover: Handover | None = None,
    ) -> None:
        for size in sizes:
            root, position = root_at(connection, size), position_of_leaf(connection, size - 1)
            at = self._clock().astimezone(UTC).replace(microsecond=0)
            checkpoint = Checkpoint(key.name, size, root, position, at, handover)
            note = str(sign(checkpoint.text, key.name, signers))
            kept = {"tree_size": size, "position": position, "signed_at": at, "note": note}
            connection.execute(SQL["add"], kept)
            log.info("checkpoint.signed", tree_size=size, position=position, note=note)

    def _current(self, connection: Connection[Any]) -> VerifierKey:
        """Return the current key; with the first one the store gets its name."""
        keys = _keys(connection)
        if keys:
            return VerifierKey.parse(keys[-1].verifier_key)
        signers = self._signers()
        if not signers:
            raise KeyNotHeld
        first = VerifierKey(self._new_name(), signers[0].public_key)
        self._add_key(connection, first, 0)
        return first

    def _signer(self, key: VerifierKey) -> Signer:
        for one in self._signers():
            if one.public_key == key.public_key:
                return one
        raise KeyNotHeld

    def _add_key(self, connection: Connection[Any], key: VerifierKey, size: int) -> None:
        added = {"verifier_key": str(key), "tree_size": size, "since": self._clock()}
        connection.execute(SQL["add_key"], added)

    @contextmanager
    def _turn(self) -> Iterator[Connection[Any]]:
        """Yield a connection in a transaction, while no other process signs."""
        with self._database.get_connection() as connection, connection.transaction():
            connection.execute(SQL["take_turns"])
            yield connection


def _due(newest: StoredCheckpoint | None, size: int, at: datetime) -> list[int]:
    """Return of what sizes checkpoints are due: each so many events, and what is left when the last one is old."""
    reached = _size(newest)
    due = list(range(reached + MOST_EVENTS, size + 1, MOST_EVENTS))[:NO_MORE_THAN]
    old = newest is None or at - newest.signed_at >= LONGEST
    if not due and old and size > reached:
        due.append(size)
    return due


def _size(newest: StoredCheckpoint | None) -> int:
    return newest.tree_size if newest is not None else 0


def _newest(connection: Connection[Any]) -> StoredCheckpoint | None:
    rows = _checkpoints(connection, "newest", {})
    return rows[0] if rows else None


def _checkpoints(connection: Connection[Any], statement: str, asked: dict[str, Any]) -> Sequence[StoredCheckpoint]:
    cursor = connection.cursor(row_factory=class_row(StoredCheckpoint))
    return cursor.execute(SQL[statement], asked).fetchall()


def _keys(connection: Connection[Any]) -> Sequence[SigningKey]:
    return connection.cursor(row_factory=class_row(SigningKey)).execute(SQL["keys"]).fetchall()
