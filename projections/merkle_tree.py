"""The Merkle tree over the history, as it is kept: every leaf, and the roots of complete subtrees, four levels apart.

That is 1.07 rows an event. Any other hash is made of at most sixteen rows, so that a proof reads 16 rows for each four
levels: some 80 of a million.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from psycopg.rows import tuple_row

from application.errors import TreeDamaged
from application.leaves import event_hash
from application.merkle import ARITY, LEVELS_APART, Range, Subtree, joined, root_of, subtrees
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from psycopg import Connection

    from projections.event_log import Positioned

SQL = statements("projections", "merkle_tree")


class MerkleLeaves:
    """Follows the history with the tree. It is not rebuilt: what it has kept tells where somebody rewrote history."""

    name = "merkle-tree"
    tables: tuple[str, ...] = ()

    def apply(self, connection: Connection[Any], batch: Sequence[Positioned]) -> None:
        """Take over these events, in the transaction that is open."""
        size = tree_size(connection)
        leaves = [_hash_of(one) for one in batch]
        added = {
            "indexes": list(range(size, size + len(batch))),
            "positions": [one.position for one in batch],
            "hashes": leaves,
        }
        connection.execute(SQL["add_leaves"], added, prepare=True)
        nodes = list(_completed(size, leaves, _unfinished(connection, size)))
        if nodes:
            levels, indexes, hashes = zip(*nodes, strict=True)
            completed = {"levels": list(levels), "indexes": list(indexes), "hashes": list(hashes)}
            connection.execute(SQL["add_nodes"], completed, prepare=True)


def tree_size(connection: Connection[Any]) -> int:
    """Return how many leaves the tree has."""
    row = connection.cursor(row_factory=tuple_row).execute(SQL["size"], prepare=True).fetchone()
    return int(row[0]) if row else 0


def root_at(connection: Connection[Any], size: int) -> bytes:
    """Return the root that the tree had when it had so many leaves. Raises `TreeDamaged` if it has not."""
    whole = Range(0, size)
    return range_hashes(connection, [whole])[whole]


def position_of_leaf(connection: Connection[Any], index: int) -> int:
    """Return the position of the event that a leaf is of; 0 for the one before the first."""
    row = connection.cursor(row_factory=tuple_row).execute(SQL["position_of_leaf"], {"index": index}).fetchone()
    return int(row[0]) if row else 0


def leaves_at(connection: Connection[Any], positions: Sequence[int]) -> dict[int, int]:
    """Return where in the tree those of these positions stand that have a leaf."""
    found = connection.cursor(row_factory=tuple_row).execute(SQL["leaves_at"], {"positions": list(positions)})
    return dict(found.fetchall())


def range_hashes(connection: Connection[Any], ranges: Iterable[Range]) -> Mapping[Range, bytes]:
    """Return the hashes of ranges of leaves. Raises `TreeDamaged` where some are not there."""
    parts = {one: list(subtrees(one)) for one in ranges}
    kept = _kept(connection, {node for some in parts.values() for part in some for node in _made_of(part)})
    return {one: joined([_hash(part, kept) for part in some]) for one, some in parts.items()}


def _hash_of(one: Positioned) -> bytes:
    stored = one.stored
    stream_id = cast("UUID", stored.originator_id)
    return event_hash(one.position, stream_id, stored.originator_version, stored.topic, stored.state)


def _made_of(part: Subtree) -> list[Subtree]:
    """Return the kept subtrees that another one is made of; of a kept one, itself."""
    above = part.level % LEVELS_APART
    return [Subtree(part.level - above, (part.number << above) + offset) for offset in range(1 << above)]


def _hash(part: Subtree, kept: Mapping[Subtree, bytes]) -> bytes:
    return root_of(_those(_made_of(part), kept))


def _those(wanted: Iterable[Subtree], kept: Mapping[Subtree, bytes]) -> list[bytes]:
    """Return these hashes. Raises `TreeDamaged`."""
    try:
        return [kept[one] for one in wanted]
    except KeyError:
        raise TreeDamaged from None


def _kept(connection: Connection[Any], wanted: set[Subtree]) -> dict[Subtree, bytes]:
    cursor = connection.cursor(row_factory=tuple_row, binary=True)
    leaves = sorted(one.number for one in wanted if one.level == 0)
    nodes = sorted(one for one in wanted if one.level)
    found: dict[Subtree, bytes] = {}
    if leaves:
        cursor.execute(SQL["leaves"], {"indexes": leaves}, prepare=True)
        found.update((Subtree(level, number), digest) for level, number, digest in cursor)
    if nodes:
        asked = {"levels": [one.level for one in nodes], "indexes": [one.number for one in nodes]}
        cursor.execute(SQL["nodes"], asked, prepare=True)
        found.update((Subtree(level, number), digest) for level, number, digest in cursor)
    return found


def _unfinished(connection: Connection[Any], size: int) -> dict[int, list[bytes]]:
    """Return, by level, the kept hashes that are not yet sixteen: those that the next ones complete."""
    wanted = {level: list(_last(level, size)) for level in range(0, size.bit_length(), LEVELS_APART)}
    kept = _kept(connection, {one for some in wanted.values() for one in some})
    return {level: _those(some, kept) for level, some in wanted.items()}


def _last(level: int, size: int) -> Iterator[Subtree]:
    complete = size >> level
    return (Subtree(level, index) for index in range(complete - complete % ARITY, complete))


def _completed(
    size: int, leaves: list[bytes], unfinished: Mapping[int, list[bytes]]
) -> Iterator[tuple[int, int, bytes]]:
    """Yield level, index and hash of the subtrees that these leaves complete in a tree of that size."""
    level, hashes = 0, leaves
    while hashes:
        row = unfinished.get(level, []) + hashes
        level += LEVELS_APART
        first = size >> level
        hashes = [root_of(row[start : start + ARITY]) for start in range(0, len(row) - ARITY + 1, ARITY)]
        yield from ((level, first + offset, digest) for offset, digest in enumerate(hashes))
