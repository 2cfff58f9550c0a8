"""Merkle tree of RFC 6962, section 2.1: hashes, proofs and their verification, without any I/O.

A proof is a list of hashes of ranges of leaves. `inclusion_ranges` and `consistency_ranges` return the ranges, so that
a store of hashes only has to look up these. Each range consists of complete subtrees.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EMPTY_ROOT = sha256().digest()
"""Root of an empty tree."""

LEVELS_APART = 4
ARITY = 1 << LEVELS_APART
"""Only complete subtrees whose level is a multiple of `LEVELS_APART` are stored. Each has `ARITY` stored children."""


class Range(NamedTuple):
    """Leaves from `start` up to but not including `end`, counted from 0."""

    start: int
    end: int


class Subtree(NamedTuple):
    """Complete subtree over the 2 ** `level` leaves that start at `number` * 2 ** `level`."""

    level: int
    number: int


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf's data."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the parent of two nodes."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, or over hashes of complete subtrees of equal size."""
    frontier = Frontier()
    for digest in hashes:
        frontier.append(digest)
    return frontier.root()


class Frontier:
    """Hashes of the complete subtrees of a tree, largest first: enough to append leaves and to compute the root."""

    def __init__(self) -> None:
        self.size = 0
        self.hashes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Append a leaf hash. It completes as many subtrees as the size has trailing one bits."""
        size, hashes = self.size, self.hashes
        self.size = size + 1
        while size & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            size >>= 1
        hashes.append(leaf)

    def root(self) -> bytes:
        """Return the root of the current tree."""
        return join_subtrees(self.hashes)


class GrowingTree:
    """Tree that reports the subtrees to store, every `LEVELS_APART` levels, as they are completed."""

    def __init__(self) -> None:
        self.size = 0
        self._rows: list[list[bytes]] = [[]]

    def append(self, leaf: bytes) -> Sequence[tuple[Subtree, bytes]]:
        """Append a leaf hash, and return the subtrees that it completed, lowest first, with their hashes."""
        self.size += 1
        row = self._rows[0]
        row.append(leaf)
        return self._completed() if len(row) == ARITY else ()

    def root(self) -> bytes:
        """Return the root of the current tree."""
        return join_subtrees([digest for row in reversed(self._rows) for digest in _frontier(row)])

    def _completed(self) -> list[tuple[Subtree, bytes]]:
        completed, level = [], 0
        while len(self._rows[level]) == ARITY:
            digest = root_of(self._rows[level])
            self._rows[level].clear()
            level += 1
            if level == len(self._rows):
                self._rows.append([])
            self._rows[level].append(digest)
            height = level * LEVELS_APART
            completed.append((Subtree(height, (self.size >> height) - 1), digest))
        return completed


def _frontier(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes of the complete subtrees over these hashes, largest first."""
    frontier = Frontier()
    for digest in hashes:
        frontier.append(digest)
    return frontier.hashes


def join_subtrees(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of a range from the hashes of its complete subtrees, largest first."""
    if not hashes:
        return EMPTY_ROOT
    *larger, root = hashes
    for digest in reversed(larger):
        root = node_hash(digest, root)
    return root


def subtrees(leaves: Range) -> Iterator[Subtree]:
    """Yield the complete subtrees of which a range in a proof consists, largest first."""
    start, end = leaves
    while start < end:
        level = (end - start).bit_length() - 1
        yield Subtree(level, start >> level)
        start += 1 << level


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the ranges of an inclusion proof, lowest first: PATH(m, D[n]) of RFC 6962."""
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _largest_power_below(end - start)
        if index < middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start = middle
    return path[::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """Return the ranges of a consistency proof between two tree sizes, lowest first: PROOF(m, D[n]) of RFC 6962."""
    if first in {0, second}:
        return []
    path, start, end = [], 0, second
    while end != first:
        middle = start + _largest_power_below(end - start)
        if first <= middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start = middle
    if start:
        path.append(Range(start, end))
    return path[::-1]


def root_from_inclusion_proof(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root computed from an inclusion proof, or None if its length is wrong (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for digest in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(digest, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, digest)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


def is_consistent(first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Return whether a consistency proof shows that the second tree extends the first (RFC 9162, 2.1.4.2)."""
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if not 0 < first < second:
        return False
    hashes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    return bool(hashes) and _roots_from_consistency_proof(first, second, hashes) == (first_root, second_root)


def _roots_from_consistency_proof(first: int, second: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first_root = second_root = hashes[0]
    for digest in hashes[1:]:
        if last == 0:
            return None
        if node & 1 or node == last:
            first_root, second_root = node_hash(digest, first_root), node_hash(digest, second_root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second_root = node_hash(second_root, digest)
        node, last = node >> 1, last >> 1
    return (first_root, second_root) if last == 0 else None


def _largest_power_below(size: int) -> int:
    """Return the largest power of two that is smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1
