"""Signs checkpoints of the Merkle tree when they are due, and none that does not continue those of before."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

from application.checkpoints import Checkpoint, Handover, MalformedCheckpoint
from application.errors import TreeDamaged
from application.merkle import is_consistent
from application.signed_notes import BadSignature, MalformedKey, MalformedNote, SignedNote, VerifierKey, sign
from projections.checkpoints import SQL, newest_checkpoint, signing_keys
from projections.merkle_tree import position_of_leaf, root_at, tree_size
from projections.proofs import consistency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from psycopg import Connection

    from application.ports import Clock
    from application.signed_notes import Signer, Verify
    from projections.checkpoints import StoredCheckpoint
    from projections.freshness import Database

Made = list[tuple[Checkpoint, str]]
"""Checkpoints that were signed, and their notes."""

MOST_EVENTS = 1000
LONGEST = timedelta(seconds=60)
"""A checkpoint is made as soon as so many events have no other yet, or when the last one is so old."""

NO_MORE_THAN = 100
"""Checkpoints signed in one transaction."""

log = structlog.get_logger(__name__)


class KeyNotHeld(Exception):
    """The key that signs the checkpoints of this store is not among the given ones."""


class HistoryRewritten(Exception):
    """The tree does not continue what was signed before: what it is now is not signed."""


class Checkpointer:
    """Signs checkpoints. `signers` gives the private keys at hand, as they are now; a new store is named once."""

    def __init__(
        self,
        database: Database,
        signers: Callable[[], Sequence[Signer]],
        verify: Verify,
        clock: Clock,
        new_name: Callable[[], str] = lambda: f"subusers/{uuid4()}",
    ) -> None:
        self._database = database
        self._signers = signers
        self._verify = verify
        self._clock = clock
        self._new_name = new_name
        self._last: Checkpoint | None = None

    def make_due(self) -> int:
        """Sign what is due, and return how many checkpoints that was. Raises `KeyNotHeld`, `HistoryRewritten`."""
        return self._make(_due)

    def make_now(self) -> int:
        """Sign a checkpoint of what has none yet, due or not. Raises `KeyNotHeld`, `HistoryRewritten`."""
        return self._make(lambda newest, size, _: [size] if size > _size(newest) else [])

    def make_of(self, sizes: Sequence[int]) -> int:
        """Sign checkpoints of these sizes, as far as the tree has come. Raises `KeyNotHeld`, `HistoryRewritten`."""
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

        Both sign a checkpoint that says so, unless the former is lost. Raises `KeyNotHeld`, `HistoryRewritten`.
        """
        made: Made = []
        with self._turn() as connection:
            former = self._current(connection)
            current = VerifierKey(former.name, self._signers()[0].public_key)
            if current != former:
                signers = [] if without_former else [self._signer(former)]
                size = tree_size(connection)
                handover = None if without_former else Handover(former, current)
                made = self._signed(connection, current, [size], [*signers, self._signer(current)], handover)
                self._add_key(connection, current, size)
        self._tell(made)
        return former, current

    def _make(self, sizes: Callable[[StoredCheckpoint | None, int, datetime], Sequence[int]]) -> int:
        made: Made = []
        with self._turn() as connection:
            wanted = sizes(newest_checkpoint(connection), tree_size(connection), self._clock())
            if wanted:
                key = self._current(connection)
                made = self._signed(connection, key, wanted, [self._signer(key)])
        self._tell(made)
        return len(wanted)

    def _signed(
        self,
        connection: Connection[Any],
        key: VerifierKey,
        sizes: Sequence[int],
        signers: Sequence[Signer],
        handover: Handover | None = None,
    ) -> Made:
        before = self._signed_before(connection)
        made: Made = []
        for size in sizes:
            root, position = _state(connection, size)
            at = self._clock().astimezone(UTC).replace(microsecond=0)
            checkpoint = Checkpoint(key.name, size, root, position, at, handover)
            _require_continuing(connection, before, checkpoint)
            note = str(sign(checkpoint.text, key.name, signers))
            kept = {"tree_size": size, "position": position, "signed_at": at, "note": note}
            connection.execute(SQL["add"], kept)
            made.append((checkpoint, note))
            before = [checkpoint]
        return made

    def _tell(self, made: Made) -> None:
        """Say what has been signed, once the store has it."""
        for checkpoint, note in made:
            log.info("checkpoint.signed", tree_size=checkpoint.tree_size, position=checkpoint.position, note=note)
            self._last = checkpoint

    def _signed_before(self, connection: Connection[Any]) -> list[Checkpoint]:
        """Return what the next checkpoint has to continue: the newest in the store, and this process's own last one.

        Raises `HistoryRewritten` where the store's is not genuine, or is older than one that this process has signed.
        """
        newest, last = newest_checkpoint(connection), self._last
        if newest is None:
            if last is not None:
                raise HistoryRewritten("the checkpoints are gone")
            return []
        try:
            note = SignedNote.parse(newest.note)
            keys = [VerifierKey.parse(one.verifier_key) for one in signing_keys(connection)]
            if not note.signed_by(keys, self._verify):
                raise HistoryRewritten("the newest checkpoint is signed by another key")
            stored = Checkpoint.parse(note.text)
        except (MalformedNote, MalformedKey, MalformedCheckpoint, BadSignature) as error:
            raise HistoryRewritten(f"the newest checkpoint is not genuine: {error}") from error
        return [stored] if last is None else [stored, last]

    def _current(self, connection: Connection[Any]) -> VerifierKey:
        """Return the current key; with the first one the store gets its name."""
        keys = signing_keys(connection)
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


def _state(connection: Connection[Any], size: int) -> tuple[bytes, int]:
    """Return the root of so many leaves, and where the last of them stands."""
    try:
        return root_at(connection, size), position_of_leaf(connection, size - 1)
    except TreeDamaged:
        raise HistoryRewritten("some of the tree is gone") from None


def _require_continuing(connection: Connection[Any], before: Sequence[Checkpoint], next_one: Checkpoint) -> None:
    """Raise `HistoryRewritten` unless the tree begins with all that was signed."""
    for one in before:
        try:
            path = consistency(connection, one.tree_size, next_one.tree_size)
        except TreeDamaged:
            path = None
        if path is None or not is_consistent(
            one.tree_size, one.root_hash, next_one.tree_size, next_one.root_hash, path
        ):
            raise HistoryRewritten(f"the tree does not continue that of {one.tree_size} events, which was signed")


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
