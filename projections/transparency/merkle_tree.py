"""Stored Merkle tree over the event store (RFC 6962): all leaves, and the complete subtrees of every fourth level.

These are 1.07 rows per event. Any other hash is computed from at most 16 rows, so a proof reads 16 rows per four
levels: about 80 for a million events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from psycopg.rows import scalar_row

from adapters.postgres.prepared_statements import named_row
from adapters.postgres.sql_files import statements
from application.errors import MerkleTreeDamaged
from application.transparency.leaf_encoding import event_hash
from application.transparency.merkle import ARITY, LEVELS_APART, Range, Subtree, join_subtrees, root_of, subtrees

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent

SQL = statements("projections.transparency", "merkle_tree")


class MerkleLeafProjection:
    """Appends the events to the Merkle tree.

    It cannot be rebuilt: the stored hashes are the evidence that shows where someone rewrote history.
    """

    name = "merkle-tree"
    tables: tuple[str, ...] = ()

    def apply(self, connection: Connection[Any], batch: Sequence[RecordedEvent]) -> None:
        """Apply these events in the current transaction."""
        size = tree_size(connection)
        leaves = [_leaf_hash(event) for event in batch]
        leaf_columns = {
            "indexes": list(range(size, size + len(batch))),
            "positions": [event.position for event in batch],
            "hashes": leaves,
        }
        connection.execute(SQL["add_leaves"], leaf_columns, prepare=True)
        nodes = list(_completed_subtrees(size, leaves, _incomplete_siblings(connection, size)))
        if nodes:
            levels, indexes, hashes = zip(*nodes, strict=True)
            node_columns = {"levels": list(levels), "indexes": list(indexes), "hashes": list(hashes)}
            connection.execute(SQL["add_nodes"], node_columns, prepare=True)


def tree_size(connection: Connection[Any]) -> int:
    """Return the number of leaves."""
    return int(connection.cursor(row_factory=scalar_row).execute(SQL["size"], prepare=True).fetchone() or 0)


def root_at(connection: Connection[Any], size: int) -> bytes:
    """Return the root of the first `size` leaves. Raises `MerkleTreeDamaged` if hashes are missing."""
    all_leaves = Range(0, size)
    return range_hashes(connection, [all_leaves])[all_leaves]


def position_of_leaf(connection: Connection[Any], index: int) -> int:
    """Return the position of the event of a leaf, or 0 if there is no such leaf."""
    return int(
        connection.cursor(row_factory=scalar_row).execute(SQL["position_of_leaf"], {"index": index}).fetchone() or 0
    )


def leaves_at(connection: Connection[Any], positions: Sequence[int]) -> dict[int, int]:
    """Return leaf indexes by position, in ascending order. Positions without a leaf are left out."""
    rows = connection.cursor(row_factory=named_row).execute(SQL["leaves_at"], {"positions": list(positions)})
    return {row.position: row.leaf_index for row in rows}


def range_hashes(connection: Connection[Any], ranges: Iterable[Range]) -> Mapping[Range, bytes]:
    """Return the hashes of ranges of leaves. Raises `MerkleTreeDamaged` if some are missing."""
    subtrees_by_range = {leaves: list(subtrees(leaves)) for leaves in ranges}
    nodes = {node for parts in subtrees_by_range.values() for part in parts for node in _stored_parts(part)}
    hashes = _load(connection, nodes)
    return {
        leaves: join_subtrees([_hash(part, hashes) for part in parts]) for leaves, parts in subtrees_by_range.items()
    }


def _leaf_hash(event: RecordedEvent) -> bytes:
    stored = event.stored
    stream_id = cast("UUID", stored.originator_id)
    return event_hash(event.position, stream_id, stored.originator_version, stored.topic, stored.state)


def _stored_parts(part: Subtree) -> list[Subtree]:
    """Return the stored subtrees that make up a subtree; for a stored one, itself."""
    levels_up = part.level % LEVELS_APART
    return [Subtree(part.level - levels_up, (part.number << levels_up) + offset) for offset in range(1 << levels_up)]


def _hash(part: Subtree, hashes: Mapping[Subtree, bytes]) -> bytes:
    return root_of(_select(_stored_parts(part), hashes))


def _select(nodes: Iterable[Subtree], hashes: Mapping[Subtree, bytes]) -> list[bytes]:
    """Return the hashes of these nodes. Raises `MerkleTreeDamaged` if one is missing."""
    try:
        return [hashes[node] for node in nodes]
    except KeyError:
        raise MerkleTreeDamaged from None


def _load(connection: Connection[Any], subtrees_to_load: set[Subtree]) -> dict[Subtree, bytes]:
    cursor = connection.cursor(row_factory=named_row, binary=True)
    leaves = sorted(subtree.number for subtree in subtrees_to_load if subtree.level == 0)
    nodes = sorted(subtree for subtree in subtrees_to_load if subtree.level)
    hashes: dict[Subtree, bytes] = {}
    if leaves:
        cursor.execute(SQL["leaves"], {"indexes": leaves}, prepare=True)
        hashes.update((Subtree(row.level, row.node_index), row.hash) for row in cursor)
    if nodes:
        parameters = {"levels": [node.level for node in nodes], "indexes": [node.number for node in nodes]}
        cursor.execute(SQL["nodes"], parameters, prepare=True)
        hashes.update((Subtree(row.level, row.node_index), row.hash) for row in cursor)
    return hashes


def _incomplete_siblings(connection: Connection[Any], size: int) -> dict[int, list[bytes]]:
    """Return, by level, the stored hashes of the last group of siblings if it has fewer than 16."""
    nodes_by_level = {level: list(_last_group(level, size)) for level in range(0, size.bit_length(), LEVELS_APART)}
    hashes = _load(connection, {node for nodes in nodes_by_level.values() for node in nodes})
    return {level: _select(nodes, hashes) for level, nodes in nodes_by_level.items()}


def _last_group(level: int, size: int) -> Iterator[Subtree]:
    complete = size >> level
    return (Subtree(level, index) for index in range(complete - complete % ARITY, complete))


def _completed_subtrees(
    size: int, leaves: list[bytes], incomplete: Mapping[int, list[bytes]]
) -> Iterator[tuple[int, int, bytes]]:
    """Yield level, index and hash of the subtrees that these leaves complete in a tree of `size` leaves."""
    level, hashes = 0, leaves
    while hashes:
        siblings = incomplete.get(level, []) + hashes
        level += LEVELS_APART
        first_index = size >> level
        hashes = [root_of(siblings[start : start + ARITY]) for start in range(0, len(siblings) - ARITY + 1, ARITY)]
        yield from ((level, first_index + offset, digest) for offset, digest in enumerate(hashes))
