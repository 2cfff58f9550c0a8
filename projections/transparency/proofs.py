"""Proofs that events are in a signed checkpoint, and that one checkpoint continues another.

To write a verifiable export (`application/transparency/verifiable_export.py` describes its lines):

    basis = proofs.basis()                     # None until the first checkpoint, a second after the first event
    yield basis.header(selection)              # which events the export has: `ExportSelection`
    for batch in …:                            # about 500 `RecordedEvent`s, in order, up to basis.position
        yield from proofs.lines(basis, batch, describe)
    yield end_line(event_count)

Leave out events after `basis.position`: only the next checkpoint contains them. It follows within a minute. `describe`
returns the readable form of an event, or None. An export of all events up to `basis.position` needs no proofs: write
`basis.header(selection, whole=True)`, and `whole_lines` instead of `lines`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from adapters.postgres.event_store.settled_reads import events_after
from application.transparency.merkle import consistency_ranges, inclusion_ranges
from application.transparency.verifiable_export import EACH, WHOLE, event_line, header_line, proof_members, with_digest
from projections.transparency.merkle_tree import leaves_at, range_hashes, tree_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias
    from uuid import UUID

    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent
    from application.transparency.verifiable_export import ExportSelection
    from projections.runtime.freshness import Database
    from projections.transparency.checkpoints import Checkpoints, StoredCheckpoint

    Describe: TypeAlias = Callable[[RecordedEvent], Mapping[str, Any] | None]


@dataclass(frozen=True)
class ProofBasis:
    """The checkpoint that proofs lead to, and the public keys of the service."""

    tree_size: int
    position: int
    note: str
    keys: tuple[str, ...]
    successions: tuple[str, ...] = ()

    def header(self, selection: ExportSelection, *, whole: bool = False) -> dict[str, Any]:
        """Return the first line of an export."""
        return header_line(WHOLE if whole else EACH, self.note, self.keys, self.successions, selection)


@dataclass(frozen=True)
class Inclusion:
    """An inclusion proof: the index of the leaf, from 0, and the hashes on its path to the root, bottom up."""

    leaf: int
    path: list[bytes]


class Proofs:
    """Builds proofs from the stored tree."""

    def __init__(self, database: Database, checkpoints: Checkpoints) -> None:
        self._database = database
        self._checkpoints = checkpoints

    def basis(self) -> ProofBasis | None:
        """Return the newest checkpoint as the basis of proofs, or None if there is none yet."""
        newest = self._checkpoints.newest()
        return None if newest is None else self._basis(newest)

    def basis_of_size(self, tree_size: int) -> ProofBasis | None:
        """Return the checkpoint of this tree size as the basis of proofs, or None if the store has none."""
        checkpoint = self._checkpoints.of_size(tree_size)
        return None if checkpoint is None else self._basis(checkpoint)

    def lines(
        self, basis: ProofBasis, events: Sequence[RecordedEvent], describe: Describe = lambda _: None
    ) -> Iterator[dict[str, Any]]:
        """Yield the line of each event, with its proof. Raises `KeyError` for an event after the checkpoint."""
        proofs = self.inclusion_proofs([event.position for event in events], basis.tree_size)
        for event in events:
            proof = proofs[event.position]
            yield with_digest(_line(event, describe, proof_members(proof.leaf, proof.path)))

    def line_at(self, position: int, tree_size: int) -> dict[str, Any] | None:
        """Return the line of the event at a position, with its proof in a tree of that size, or None."""
        proof = self.inclusion_proofs([position], tree_size).get(position)
        with self._database.get_connection() as connection:
            events = events_after(connection, position - 1, 1)
        if proof is None or not events or events[0].position != position:
            return None
        return _line(events[0], lambda _: None, proof_members(proof.leaf, proof.path))

    def inclusion_proofs(self, positions: Sequence[int], tree_size: int) -> dict[int, Inclusion]:
        """Return the proofs of these positions that a tree of that size contains, in the order of the positions."""
        with self._database.get_connection() as connection:
            leaves = {position: leaf for position, leaf in leaves_at(connection, positions).items() if leaf < tree_size}
            paths = {leaf: inclusion_ranges(leaf, tree_size) for leaf in leaves.values()}
            hashes = range_hashes(connection, {part for path in paths.values() for part in path})
        return {position: Inclusion(leaf, [hashes[part] for part in paths[leaf]]) for position, leaf in leaves.items()}

    def consistency(self, first: int, second: int) -> list[bytes] | None:
        """Return the consistency proof from `first` to `second` leaves, or None if the tree is smaller."""
        with self._database.get_connection() as connection:
            return consistency(connection, first, second)

    def _basis(self, checkpoint: StoredCheckpoint) -> ProofBasis:
        keys = tuple(key.verifier_key for key in self._checkpoints.signing_keys())
        successions = self._checkpoints.successions()
        return ProofBasis(checkpoint.tree_size, checkpoint.position, checkpoint.note, keys, successions)


def consistency(connection: Connection[Any], first: int, second: int) -> list[bytes] | None:
    """Return the consistency proof from `first` to `second` leaves, or None if the tree is smaller."""
    if not 0 <= first <= second <= tree_size(connection):
        return None
    ranges = consistency_ranges(first, second)
    hashes = range_hashes(connection, ranges)
    return [hashes[part] for part in ranges]


def whole_lines(events: Sequence[RecordedEvent], describe: Describe = lambda _: None) -> Iterator[dict[str, Any]]:
    """Yield the line of each event without a proof, for exports whose events together give the root."""
    for event in events:
        yield with_digest(_line(event, describe, None))


def _line(event: RecordedEvent, describe: Describe, proof: Mapping[str, Any] | None) -> dict[str, Any]:
    stored = event.stored
    return event_line(
        event.position,
        cast("UUID", stored.originator_id),
        stored.originator_version,
        stored.topic,
        stored.state,
        proof,
        describe(event),
    )
