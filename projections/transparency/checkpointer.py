"""Signing of checkpoints of the Merkle tree: when they are due, and only if they continue the earlier ones."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

from adapters.postgres.prepared_statements import named_row
from application.display_text import quantity
from application.errors import MerkleTreeDamaged
from application.transparency.checkpoint import AcceptedLoss, Checkpoint, MalformedCheckpoint, Succession
from application.transparency.evidence_manifest import text_to_sign
from application.transparency.merkle import is_consistent
from application.transparency.signed_note import (
    BadSignature,
    MalformedKey,
    MalformedNote,
    SignedNote,
    VerifierKey,
    sign,
)
from projections.transparency.checkpoints import SQL, newest_checkpoint, signing_keys
from projections.transparency.merkle_tree import position_of_leaf, root_at, tree_size
from projections.transparency.proofs import consistency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from application.ports.clock import Clock
    from application.transparency.signed_note import Signer, Verify
    from projections.runtime.freshness import Database
    from projections.transparency.checkpoints import StoredCheckpoint

SignedCheckpoints = list[tuple[Checkpoint, str]]
"""Checkpoints and their signed notes."""

MAX_UNSIGNED_EVENTS = 1000
MAX_AGE = timedelta(seconds=60)
"""A checkpoint is due at `MAX_UNSIGNED_EVENTS` unsigned events, or when the last checkpoint is older than `MAX_AGE`."""

MAX_PER_TRANSACTION = 100
"""Checkpoints signed in one transaction."""

log = structlog.get_logger(__name__)


class KeyNotHeld(Exception):
    """None of the configured private keys is the key that signs the checkpoints of this store."""


class KeyRetired(Exception):
    """The new signing key has signed this store before, and was succeeded by another key."""


class HistoryRewritten(Exception):
    """The tree does not continue the checkpoints signed before. It is not signed."""


class Checkpointer:
    """Signs checkpoints.

    `signers` returns the private keys that are configured at present. `new_name` returns a name for a store that
    gets its first key.
    """

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
        self._last_signed: Checkpoint | None = None
        self._accepted_losses: set[UUID] = set()

    def sign_due(self) -> int:
        """Sign the checkpoints that are due, and return their number. Raises `KeyNotHeld`, `HistoryRewritten`.

        A checkpoint is due, too, if the newest one does not name a loss of history that was accepted.
        """
        return self._sign_selected(_due_sizes)

    def sign_now(self) -> int:
        """Sign a checkpoint of the unsigned events, due or not; return 1, or 0 if there are none.

        Raises `KeyNotHeld` and `HistoryRewritten`.
        """
        return self._sign_selected(
            lambda newest, tree_size, _now: [tree_size] if tree_size > _signed_size(newest) else []
        )

    def sign_sizes(self, sizes: Sequence[int]) -> int:
        """Sign checkpoints of the given sizes that the tree has reached. Raises `KeyNotHeld`, `HistoryRewritten`."""
        return self._sign_selected(lambda _newest, tree_size, _now: [size for size in sizes if size <= tree_size])

    def verifier_key(self) -> VerifierKey:
        """Return the public key that signs at present, or the first configured one if none has signed yet."""
        with self._signing_lock() as connection:
            return self._current_key(connection)

    def require_key(self) -> None:
        """Raise `KeyNotHeld` unless the configured keys include the one that signs checkpoints."""
        with self._signing_lock() as connection:
            self._signer_of(self._current_key(connection))

    def sign_evidence(self, tree_size: int, sums_digest: str) -> str:
        """Return a signed note with the digest of the manifest of an evidence pack. Raises `KeyNotHeld`.

        `tree_size` is that of the checkpoint in the pack.
        """
        with self._signing_lock() as connection:
            key = self._current_key(connection)
            signer = self._signer_of(key)
        return str(sign(text_to_sign(key.name, tree_size, sums_digest), key.name, [signer]))

    def rotate_key(self, *, without_former: bool = False) -> tuple[VerifierKey, VerifierKey]:
        """Make the first configured key the signing key; return the former public key and the new one.

        Both keys sign a checkpoint that names the successor. With `without_former` only the new key signs, because the
        former key is lost. The former key is no longer trusted, and never signs again. Raises `KeyNotHeld`,
        `HistoryRewritten` and `KeyRetired`.
        """
        signed: SignedCheckpoints = []
        with self._signing_lock() as connection:
            former = self._current_key(connection)
            current = VerifierKey(former.name, self._signers()[0].public_key)
            if current != former:
                if str(current) in {key.verifier_key for key in signing_keys(connection)}:
                    raise KeyRetired
                signers = [] if without_former else [self._signer_of(former)]
                size = tree_size(connection)
                succession = Succession(former, current)
                signed = self._sign(connection, current, [size], [*signers, self._signer_of(current)], succession)
                self._add_key(connection, current, size)
        self._log_signed(signed)
        return former, current

    def _sign_selected(self, select_sizes: Callable[[StoredCheckpoint | None, int, datetime], Sequence[int]]) -> int:
        signed: SignedCheckpoints = []
        with self._signing_lock() as connection:
            newest, size = newest_checkpoint(connection), tree_size(connection)
            sizes = select_sizes(newest, size, self._clock())
            if not sizes and newest is not None and not _names(newest, _accepted_losses(connection)):
                sizes = [size]
            if sizes:
                key = self._current_key(connection)
                signed = self._sign(connection, key, sizes, [self._signer_of(key)])
        self._log_signed(signed)
        return len(sizes)

    def _sign(
        self,
        connection: Connection[Any],
        key: VerifierKey,
        sizes: Sequence[int],
        signers: Sequence[Signer],
        succession: Succession | None = None,
    ) -> SignedCheckpoints:
        losses = self._require_accepted(connection)
        predecessors = self._predecessors(connection)
        signed: SignedCheckpoints = []
        for size in sizes:
            root, position = _root_and_position(connection, size)
            signed_at = self._clock().astimezone(UTC).replace(microsecond=0)
            checkpoint = Checkpoint(key.name, size, root, position, signed_at, succession, losses)
            _require_continuation(connection, predecessors, checkpoint)
            note = str(sign(checkpoint.text, key.name, signers))
            row = {"tree_size": size, "position": position, "signed_at": signed_at, "note": note}
            connection.execute(SQL["add_checkpoint"], row)
            signed.append((checkpoint, note))
            predecessors = [checkpoint]
        return signed

    def _log_signed(self, signed: SignedCheckpoints) -> None:
        """Log the signed checkpoints, after the transaction that stored them has committed."""
        for checkpoint, note in signed:
            log.info("checkpoint.signed", tree_size=checkpoint.tree_size, position=checkpoint.position, note=note)
            self._last_signed = checkpoint

    def _require_accepted(self, connection: Connection[Any]) -> tuple[AcceptedLoss, ...]:
        """Return the losses of history. Raises `HistoryRewritten` if no operator has accepted one of them.

        Once a loss is accepted, checkpoints need not continue what this process signed of the lost events.
        """
        rows = _loss_rows(connection)
        if any(row.accepted_at is None for row in rows):
            raise HistoryRewritten("the store has gone back: `subusers accept-lost-history` once auditors know")
        losses = {row.epoch for row in rows}
        if losses != self._accepted_losses:
            self._accepted_losses = losses
            self._last_signed = None
        return _accepted_losses(connection)

    def _predecessors(self, connection: Connection[Any]) -> list[Checkpoint]:
        """Return the checkpoints to continue: the newest in the store, and the last one of this process.

        Raises `HistoryRewritten` if the store's checkpoint is not genuine, or if it is missing although this process
        has signed one.
        """
        newest, last = newest_checkpoint(connection), self._last_signed
        if newest is None:
            if last is not None:
                raise HistoryRewritten("the checkpoints are gone")
            return []
        try:
            note = SignedNote.parse(newest.note)
            current = VerifierKey.parse(signing_keys(connection)[-1].verifier_key)
            if not note.signed_by([current], self._verify):
                raise HistoryRewritten("the newest checkpoint is signed by another key")
            stored = Checkpoint.parse(note.text)
        except (MalformedNote, MalformedKey, MalformedCheckpoint, BadSignature, IndexError) as error:
            raise HistoryRewritten(f"the newest checkpoint is not genuine: {error}") from error
        return [stored] if last is None else [stored, last]

    def _current_key(self, connection: Connection[Any]) -> VerifierKey:
        """Return the current signing key, creating the first one and with it the name of the store."""
        keys = signing_keys(connection)
        if keys:
            return VerifierKey.parse(keys[-1].verifier_key)
        signers = self._signers()
        if not signers:
            raise KeyNotHeld
        first = VerifierKey(self._new_name(), signers[0].public_key)
        self._add_key(connection, first, 0)
        return first

    def _signer_of(self, key: VerifierKey) -> Signer:
        for signer in self._signers():
            if signer.public_key == key.public_key:
                return signer
        raise KeyNotHeld

    def _add_key(self, connection: Connection[Any], key: VerifierKey, size: int) -> None:
        row = {"verifier_key": str(key), "tree_size": size, "since": self._clock()}
        connection.execute(SQL["add_key"], row)

    @contextmanager
    def _signing_lock(self) -> Iterator[Connection[Any]]:
        """Yield a connection in a transaction that holds the signing lock."""
        with self._database.get_connection() as connection, connection.transaction():
            connection.execute(SQL["lock_signing"])
            yield connection


def _loss_rows(connection: Connection[Any]) -> Sequence[Any]:
    return connection.cursor(row_factory=named_row).execute(SQL["losses"]).fetchall()


def _accepted_losses(connection: Connection[Any]) -> tuple[AcceptedLoss, ...]:
    return tuple(
        AcceptedLoss(row.begun_position, row.lost_position, row.accepted_at.astimezone(UTC).replace(microsecond=0))
        for row in _loss_rows(connection)
        if row.accepted_at is not None
    )


def _names(checkpoint: StoredCheckpoint, losses: Sequence[AcceptedLoss]) -> bool:
    """Return whether a checkpoint names these losses of history."""
    lines = checkpoint.note.split("\n")
    return all(loss.line in lines for loss in losses)


def _root_and_position(connection: Connection[Any], size: int) -> tuple[bytes, int]:
    """Return the root of the first `size` leaves, and the position of the last of them."""
    try:
        return root_at(connection, size), position_of_leaf(connection, size - 1)
    except MerkleTreeDamaged:
        raise HistoryRewritten("a part of the tree is missing") from None


def _require_continuation(
    connection: Connection[Any], predecessors: Sequence[Checkpoint], checkpoint: Checkpoint
) -> None:
    """Raise `HistoryRewritten` unless the new tree is consistent with those of its predecessors."""
    for earlier in predecessors:
        try:
            path = consistency(connection, earlier.tree_size, checkpoint.tree_size)
        except MerkleTreeDamaged:
            path = None
        if path is None or not is_consistent(
            earlier.tree_size, earlier.root_hash, checkpoint.tree_size, checkpoint.root_hash, path
        ):
            events = quantity(earlier.tree_size, "event")
            raise HistoryRewritten(f"the tree does not continue the signed tree of {events}")


def _due_sizes(newest: StoredCheckpoint | None, tree_size: int, now: datetime) -> list[int]:
    """Return the tree sizes to sign: each `MAX_UNSIGNED_EVENTS` events, or all events if the newest checkpoint is old.

    A checkpoint dated in the future counts as old: a wrong clock must not stop signing until that date.
    """
    signed_size = _signed_size(newest)
    due = list(range(signed_size + MAX_UNSIGNED_EVENTS, tree_size + 1, MAX_UNSIGNED_EVENTS))[:MAX_PER_TRANSACTION]
    is_recent = newest is not None and timedelta() <= now - newest.signed_at < MAX_AGE
    if not due and not is_recent and tree_size > signed_size:
        due.append(tree_size)
    return due


def _signed_size(newest: StoredCheckpoint | None) -> int:
    return newest.tree_size if newest is not None else 0
