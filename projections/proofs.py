"""Proofs that events are in a signed checkpoint, and that one checkpoint continues another.

To write an export that proves itself (what its lines hold: `application/proof_lines.py`):

    basis = proofs.basis()                     # None while nothing was signed yet: a second after the first event
    yield basis.header()                       # keyword arguments become further members, for people
    for batch in …:                            # `Positioned` events up to basis.position, ascending, some 500 at once
        yield from proofs.lines(basis, batch, shown)
    yield end_line(how_many)

What stands after `basis.position` is not in the checkpoint: leave it out; within a minute the next one has it. `shown`
gives what people are shown of an event, or None. An export of everything needs no proofs: `basis.header(whole=True)`,
then `whole_lines` in the place of `lines`, for every event from the first on up to `basis.position`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from application.merkle import consistency_ranges, inclusion_ranges
from application.proof_lines import EACH, WHOLE, event_line, header_line, proof_of
from projections.event_log import events_after
from projections.merkle_tree import leaves_at, range_hashes, tree_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias
    from uuid import UUID

    from psycopg import Connection

    from projections.checkpoints import Checkpoints
    from projections.event_log import Positioned
    from projections.freshness import Database

    Shown: TypeAlias = Callable[[Positioned], Mapping[str, Any] | None]


@dataclass(frozen=True)
class ProofBasis:
    """The checkpoint that proofs lead to, and the public keys of the service."""

    tree_size: int
    position: int
    note: str
    keys: tuple[str, ...]

    def header(self, *, whole: bool = False, **more: Any) -> dict[str, Any]:
        """Return the first line of an export."""
        return header_line(WHOLE if whole else EACH, self.note, self.keys, **more)


@dataclass(frozen=True)
class Inclusion:
    """Which leaf an event is, counted from 0, and the hashes on its way to the root, from below."""

    leaf: int
    path: list[bytes]


class Proofs:
    """Makes proofs from the tree as it is kept."""

    def __init__(self, database: Database, checkpoints: Checkpoints) -> None:
        self._database = database
        self._checkpoints = checkpoints

    def basis(self) -> ProofBasis | None:
        """Return the newest checkpoint as what to prove by, None if there is none yet."""
        newest = self._checkpoints.newest()
        if newest is None:
            return None
        keys = tuple(one.verifier_key for one in self._checkpoints.signing_keys())
        return ProofBasis(newest.tree_size, newest.position, newest.note, keys)

    def lines(
        self, basis: ProofBasis, events: Sequence[Positioned], shown: Shown = lambda _: None
    ) -> Iterator[dict[str, Any]]:
        """Yield the line of each event, with its proof. Raises KeyError for one that the checkpoint does not have."""
        proofs = self.of([one.position for one in events], basis.tree_size)
        for one in events:
            proof = proofs[one.position]
            yield _line(one, shown, proof_of(proof.leaf, proof.path))

    def line_at(self, position: int, tree_size: int) -> dict[str, Any] | None:
        """Return the line of the event at a position, with its proof in a tree of that size; None if it has none."""
        proof = self.of([position], tree_size).get(position)
        with self._database.get_connection() as connection:
            found = events_after(connection, position - 1, 1)
        if proof is None or not found or found[0].position != position:
            return None
        return _line(found[0], lambda _: None, proof_of(proof.leaf, proof.path))

    def of(self, positions: Sequence[int], tree_size: int) -> dict[int, Inclusion]:
        """Return the proofs of those of these positions that a tree of that size has."""
        with self._database.get_connection() as connection:
            found = leaves_at(connection, positions)
            leaves = {position: leaf for position, leaf in found.items() if leaf < tree_size}
            paths = {leaf: inclusion_ranges(leaf, tree_size) for leaf in leaves.values()}
            hashes = range_hashes(connection, {one for path in paths.values() for one in path})
        return {position: Inclusion(leaf, [hashes[one] for one in paths[leaf]]) for position, leaf in leaves.items()}

    def consistency(self, first: int, second: int) -> list[bytes] | None:
        """Return what shows that `first` leaves begin the tree of `second`, None if it has not grown so far."""
        with self._database.get_connection() as connection:
            return consistency(connection, first, second)


def consistency(connection: Connection[Any], first: int, second: int) -> list[bytes] | None:
    """Return what shows that `first` leaves begin the tree of `second`, None if it has not grown so far."""
    if not 0 <= first <= second <= tree_size(connection):
        return None
    ranges = consistency_ranges(first, second)
    hashes = range_hashes(connection, ranges)
    return [hashes[one] for one in ranges]


def whole_lines(events: Sequence[Positioned], shown: Shown = lambda _: None) -> Iterator[dict[str, Any]]:
    """Yield the line of each event without a proof, where all of them together give the root."""
    for one in events:
        yield _line(one, shown, None)


def _line(one: Positioned, shown: Shown, proof: Mapping[str, Any] | None) -> dict[str, Any]:
    stored = one.stored
    return event_line(
        one.position,
        cast("UUID", stored.originator_id),
        stored.originator_version,
        stored.topic,
        stored.state,
        proof,
        shown(one),
    )
