"""Check of the whole store: hash every event again, and compare the result with the tree and the checkpoints.

`application/transparency/tamper_locator.py` describes what such a check can prove.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from heapq import merge
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

from psycopg import IsolationLevel, sql
from psycopg.rows import class_row, scalar_row

from adapters.postgres.prepared_statements import named_row
from adapters.postgres.sql_files import statements
from application.display_text import quantity
from application.transparency.checkpoint import (
    AcceptedLoss,
    AmbiguousTrust,
    Checkpoint,
    KeyLimits,
    MalformedCheckpoint,
    ensure_one_current_key,
    is_trusted_for,
    key_limits,
    loss_since,
)
from application.transparency.history_verifier import HistoryVerifier, RootComparison
from application.transparency.merkle import GrowingTree
from application.transparency.signed_note import BadSignature, MalformedKey, MalformedNote, SignedNote, VerifierKey
from application.transparency.tamper_locator import CannotVerify, Finding, Roots, SignedRoot, locate_tampering

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime

    from psycopg import Connection

    from application.transparency.signed_note import Verify

SQL = statements("projections.transparency", "store_check")
LINEAGE_SQL = statements("projections.transparency", "lineage")

FETCH_SIZE = 5000
COPY_HEADER_BYTES = 19
"""Bytes before the first row of a binary COPY: 11 of signature, 4 of flags, 4 of an (empty) header extension."""

FIELD_COUNT = b"\x00\x05"
"""Two bytes before each row: it has five fields. The trailer has -1 instead."""


@dataclass(frozen=True)
class ExternalCheckpoint:
    """A checkpoint that an auditor kept outside the store, and the name under which to report it."""

    name: str
    checkpoint: Checkpoint
    signers: Collection[VerifierKey] = ()


@dataclass(frozen=True)
class Loss:
    """A point where the store went back: events after `begun_position` were lost, at least up to `lost_position`."""

    begun_at: datetime
    begun_position: int
    lost_position: int
    accepted_at: datetime | None


@dataclass(frozen=True)
class Verdict:
    """Result of a check: the number of events, of signed events and of signed roots, and the findings, worst first.

    `lost_checkpoints` are external ones of events that the store has lost, each with the loss that a checkpoint signed.
    """

    events: int
    signed: int
    roots: int
    findings: Sequence[Finding]
    losses: Sequence[Loss] = ()
    lost_checkpoints: Sequence[tuple[ExternalCheckpoint, AcceptedLoss]] = ()


@dataclass
class StoreCheck:
    """One check of the store, on one snapshot.

    Both connections must be in autocommit mode and lead to the same database.
    """

    event_connection: Connection[Any]
    tree_connection: Connection[Any]
    trusted: Collection[bytes | VerifierKey]
    verify: Verify
    external_checkpoints: Sequence[ExternalCheckpoint] = ()
    progress: Callable[[int, int], None] = lambda _done, _of: None
    _findings: list[Finding] = field(default_factory=list)
    _limits: KeyLimits = field(default_factory=dict)
    _loss_by_external: dict[str, AcceptedLoss] = field(default_factory=dict)
    _stored_checkpoint_count: int = 0
    _cursor_numbers: Iterator[int] = field(default_factory=count)

    def run(self) -> Verdict:
        """Check everything. Raises `CannotVerify`."""
        with self._shared_snapshot():
            self._limits = self._key_limits()
            self._loss_by_external = self._signed_losses()
            verifier = HistoryVerifier(self._rows("leaves"), self._rows("nodes"), self._leaf_count())
            roots = verifier.read(self._event_rows(), self._signed_roots(), self.progress)
            self._report_lost_checkpoints()
            if roots.signed == 0 and not self._findings:
                raise CannotVerify("nothing was signed yet: this store has no checkpoint, and none was given")
            leaf_roots = self._read_leaves() if roots.bad is not None else Roots()
            losses = self.tree_connection.cursor(row_factory=class_row(Loss)).execute(LINEAGE_SQL["losses"]).fetchall()
        tampering = locate_tampering(roots, leaf_roots, verifier.difference) or verifier.find_altered_tree_data(roots)
        findings = [*([tampering] if tampering is not None else []), *self._findings]
        signed = roots.good.size if roots.good is not None else 0
        lost_names = {root.name for root in roots.lost}
        lost = [
            (external, self._loss_by_external[external.name])
            for external in self.external_checkpoints
            if external.name in lost_names
        ]
        return Verdict(verifier.tree.size, signed, roots.signed, findings, losses, lost)

    def _report_lost_checkpoints(self) -> None:
        """Report that a store has no checkpoints although an auditor kept one: it must have been stored once."""
        if self.external_checkpoints and self._stored_checkpoint_count == 0:
            last = max(external.checkpoint.position for external in self.external_checkpoints)
            self._findings.append(Finding(1, max(1, last), "the checkpoints of this store are gone"))

    @contextmanager
    def _shared_snapshot(self) -> Iterator[None]:
        self.event_connection.isolation_level = self.tree_connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with self.event_connection.transaction(), self.tree_connection.transaction():
            snapshot = sql.Literal(
                self.event_connection.cursor(row_factory=scalar_row).execute(SQL["snapshot"]).fetchone() or ""
            )
            self.tree_connection.execute(sql.SQL(SQL["set_snapshot"]).format(snapshot=snapshot))
            yield

    def _key_limits(self) -> KeyLimits:
        """Return the trusted keys under this store's name, each with the largest tree size that it may sign."""
        origin_key = self.tree_connection.cursor(row_factory=scalar_row).execute(SQL["origin"]).fetchone()
        external_origins = [external.checkpoint.origin for external in self.external_checkpoints]
        origin = origin_key.partition("+")[0] if origin_key else (external_origins or [""])[0]
        for external in self.external_checkpoints:
            if external.checkpoint.origin != origin:
                raise CannotVerify(
                    f"{external.name} is of another store: {external.checkpoint.origin}; this one is {origin}"
                )
        own_keys = {VerifierKey(origin, key) for key in self.trusted if isinstance(key, bytes)}
        keys = own_keys | {key for key in self.trusted if isinstance(key, VerifierKey) and key.name == origin}
        if not keys and origin_key:
            raise CannotVerify("no key of this store is trusted: give --public-key, or SUBUSERS_SIGNING_KEY")
        try:
            limits = key_limits(keys, self._successions(), self.verify, trust_former_keys=True)
            self._limit_keys_without_succession(limits)
            ensure_one_current_key(limits, own_keys)
        except AmbiguousTrust as error:
            raise CannotVerify(str(error)) from None
        for external in self.external_checkpoints:
            if external.signers and not is_trusted_for(external.signers, limits, external.checkpoint.tree_size):
                raise CannotVerify(f"{external.name}: the key that signed it had been succeeded by another before")
        return limits

    def _limit_keys_without_succession(self, limits: KeyLimits) -> None:
        """Limit keys that no succession names to the tree size at which the store's own table has a successor.

        This is the case of a lost key: it could not sign the succession.
        """
        rows = self.tree_connection.cursor(row_factory=named_row).execute(SQL["keys"]).fetchall()
        for row, successor in pairwise(rows):
            with suppress(MalformedKey):
                key = VerifierKey.parse(row.verifier_key)
                if limits.get(key, 0) is None:
                    limits[key] = successor.tree_size

    def _successions(self) -> list[tuple[SignedNote, Checkpoint]]:
        successions = []
        for text in self.tree_connection.cursor(row_factory=scalar_row).execute(SQL["successions"]):
            with suppress(MalformedNote, MalformedCheckpoint, BadSignature):  # reported when the checkpoints are read
                note = SignedNote.parse(text)
                checkpoint = Checkpoint.parse(note.text)
                key_limits([], [(note, checkpoint)], self.verify)
                successions.append((note, checkpoint))
        return successions

    def _signed_losses(self) -> dict[str, AcceptedLoss]:
        """Return the loss that explains a contradiction to an external checkpoint, by the checkpoint's name.

        Only a loss that the newest checkpoint has signed counts: anyone with the database can write its table.
        """
        newest = self.tree_connection.cursor(row_factory=named_row).execute(SQL["newest_checkpoint"]).fetchone()
        if newest is None:
            return {}
        try:
            checkpoint = self._genuine_checkpoint(newest.note, newest.tree_size, newest.position)
        except (MalformedNote, MalformedCheckpoint, BadSignature):  # reported when the checkpoints are read
            return {}
        losses = {external.name: loss_since(external.checkpoint, checkpoint) for external in self.external_checkpoints}
        return {name: loss for name, loss in losses.items() if loss is not None}

    def _leaf_count(self) -> int:
        return int(self.tree_connection.cursor(row_factory=scalar_row).execute(SQL["tree_size"]).fetchone() or 0)

    def _event_rows(self) -> Iterator[bytes]:
        """Yield the bytes that each leaf must hash.

        Each message of the COPY is a row. In the first message, the header precedes it.
        """
        header_size = COPY_HEADER_BYTES
        with self.event_connection.cursor().copy(SQL["events"]) as copy:
            for message in copy:
                leaf = bytes(message[header_size:])
                header_size = 0
                if leaf.startswith(FIELD_COUNT):
                    yield leaf[len(FIELD_COUNT) :]

    def _read_leaves(self) -> Roots:
        """Compare the roots computed from the stored leaves with the signed roots."""
        roots, tree = Roots(), GrowingTree()
        comparison = RootComparison(roots, tree, self._signed_roots(reporting=False))
        for row in self._rows("leaves"):
            if row.leaf_index != tree.size:
                break
            tree.append(row.hash)
            comparison.compare_current()
        comparison.end()
        return roots

    def _rows(self, statement: str) -> Iterator[Any]:
        with self.tree_connection.cursor(f"{statement} {next(self._cursor_numbers)}", row_factory=named_row) as cursor:
            cursor.itersize = FETCH_SIZE
            cursor.execute(SQL[statement], binary=True)
            yield from cursor

    def _signed_roots(self, *, reporting: bool = True) -> Iterator[SignedRoot]:
        """Yield the signed roots of the store and of the auditors, by tree size."""
        external_roots = [
            SignedRoot(
                external.checkpoint.tree_size,
                external.checkpoint.root_hash,
                external.checkpoint.position,
                external.name,
                external=True,
                may_be_lost=external.name in self._loss_by_external,
            )
            for external in self.external_checkpoints
        ]
        external_roots.sort(key=lambda root: root.size)
        return merge(external_roots, self._stored_roots(reporting=reporting), key=lambda root: root.size)

    def _stored_roots(self, *, reporting: bool) -> Iterator[SignedRoot]:
        last_position = 0
        for row in self._rows("checkpoints"):
            size, position = row.tree_size, row.position
            self._stored_checkpoint_count += reporting
            name = f"checkpoint {row.number} of this store ({quantity(size, 'event')})"
            try:
                root = self._genuine_checkpoint(row.note, size, position).root_hash
            except (MalformedNote, MalformedCheckpoint, BadSignature) as error:
                if reporting:
                    self._findings.append(
                        Finding(last_position + 1, max(last_position + 1, position), f"{name}: {error}")
                    )
            else:
                last_position = position
                yield SignedRoot(size, root, position, name, external=False)

    def _genuine_checkpoint(self, text: str, size: int, position: int) -> Checkpoint:
        note = SignedNote.parse(text)
        checkpoint = Checkpoint.parse(note.text)
        if (checkpoint.tree_size, checkpoint.position) != (size, position):
            raise MalformedCheckpoint("its row differs from what was signed")
        signers = note.signed_by(self._limits, self.verify)
        if not signers:
            raise MalformedCheckpoint("it is signed by no key that is trusted")
        if not is_trusted_for(signers, self._limits, size):
            raise MalformedCheckpoint("the key that signed it had been succeeded by another before")
        return checkpoint
