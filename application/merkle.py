"""The Merkle tree of RFC 6962, section 2.1: hashes, proofs, and how they are checked. Nothing here reads or writes.

A proof is a list of hashes of ranges of leaves. `inclusion_ranges` and `consistency_ranges` name the ranges, so that
whoever keeps the hashes can look up no more than these; a range is made up of complete subtrees.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EMPTY_ROOT = sha256().digest()
"""The root of a tree without leaves."""

LEVELS_APART = 4
ARITY = 1 << LEVELS_APART
"""Of complete subtrees those are kept that are so many levels high, or a multiple: each is made of so many others."""


class Range(NamedTuple):
    """Leaves from `start` up to, and without, `end`, counted from 0."""

    start: int
    end: int


class Subtree(NamedTuple):
    """The complete subtree over the 2 ** `level` leaves from `number` * 2 ** `level` on."""

    level: int
    number: int


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf's data."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash above two others."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root above these leaves, or above complete subtrees of one size."""
    frontier = Frontier()
    for one in hashes:
        frontier.append(one)
    return frontier.root()


class Frontier:
    """The complete subtrees that a tree is made up of, the largest first: enough to append, and to tell the root."""

    def __init__(self) -> None:
        self.size = 0
        self.hashes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Take in the next leaf's hash: it completes as many subtrees as the size has ones at its end."""
        size, hashes = self.size, self.hashes
        self.size = size + 1
        while size & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            size >>= 1
        hashes.append(leaf)

    def root(self) -> bytes:
        """Return the root of the tree so far."""
        return joined(self.hashes)


class GrowingTree:
    """A tree that tells of the complete subtrees that it comes to have, `LEVELS_APART` levels apart."""

    def __init__(self) -> None:
        self.size = 0
        self._rows: list[list[bytes]] = [[]]

    def append(self, leaf: bytes) -> Sequence[tuple[Subtree, bytes]]:
        """Take in the next leaf's hash, and return what it completed, from below."""
        self.size += 1
        row = self._rows[0]
        row.append(leaf)
        return self._completed() if len(row) == ARITY else ()

    def root(self) -> bytes:
        """Return the root of the tree so far."""
        return joined([one for row in reversed(self._rows) for one in _frontier(row)])

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
    """Return the complete subtrees over some hashes, the largest first."""
    frontier = Frontier()
    for one in hashes:
        frontier.append(one)
    return frontier.hashes


def joined(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of a range, of those of the subtrees that it is made up of, the largest first."""
    if not hashes:
        return EMPTY_ROOT
    *larger, root = hashes
    for one in reversed(larger):
        root = node_hash(one, root)
    return root


def subtrees(leaves: Range) -> Iterator[Subtree]:
    """Yield the complete subtrees that a range in a proof is made up of, the largest first."""
    start, end = leaves
    while start < end:
        level = (end - start).bit_length() - 1
        yield Subtree(level, start >> level)
        start += 1 << level


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the ranges whose hashes lead from a leaf to the root, from below: PATH(m, D[n])."""
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
    """Return the ranges whose hashes show that a tree of `first` leaves begins one of `second`: PROOF(m, D[n])."""
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


def root_by_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to, None if a tree of this size has no such path (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for one in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(one, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, one)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


def is_consistent(first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Say whether a path shows that the tree with the first root begins the one with the second (RFC 9162, 2.1.4.2)."""
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if not 0 < first < second:
        return False
    hashes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    return bool(hashes) and _roots_by_consistency(first, second, hashes) == (first_root, second_root)


def _roots_by_consistency(first: int, second: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first_root = second_root = hashes[0]
    for one in hashes[1:]:
        if last == 0:
            return None
        if node & 1 or node == last:
            first_root, second_root = node_hash(one, first_root), node_hash(one, second_root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second_root = node_hash(second_root, one)
        node, last = node >> 1, last >> 1
    return (first_root, second_root) if last == 0 else None


def _largest_power_below(size: int) -> int:
    """Return the largest power of two that is smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1
