"""Comparison of the recorded events with the stored leaves and tree nodes, and with signed roots."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from application.display_text import quantity
from application.transparency.merkle import GrowingTree
from application.transparency.tamper_locator import Difference, Finding, Roots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from application.transparency.merkle import Subtree
    from application.transparency.tamper_locator import SignedRoot

PROGRESS_INTERVAL = 5000
"""Events between two progress reports."""

GONE = "the event is gone"
ADDED = "the event was not recorded at this position: it was inserted later"
CHANGED = "the event is not what was recorded"
MOVED = "the leaf of the event is at another place in the tree"

Leaf = tuple[int, int, bytes]
"""Index of a leaf, from 0, the position of its event, and its hash."""


class RootComparison:
    """Compares a growing tree with signed roots, in ascending order of their sizes."""

    def __init__(self, roots: Roots, tree: GrowingTree, signed_roots: Iterator[SignedRoot]) -> None:
        self._roots = roots
        self._tree = tree
        self._signed_roots = signed_roots
        self._next = next(signed_roots, None)
        self.next_size = -1
        self.compare_current()

    def compare_current(self) -> None:
        """Compare the tree with the signed root of its current size, if there is one."""
        while self._next is not None and self._next.size <= self._tree.size:
            self._roots.compare(self._next, self._tree.root() if self._next.size == self._tree.size else None)
            self._next = next(self._signed_roots, None)
        self.next_size = self._next.size if self._next is not None else -1

    def end(self) -> None:
        """Report all signed roots of larger trees as not reached."""
        while self._next is not None:
            self._roots.compare(self._next, None)
            self._next = next(self._signed_roots, None)


class HistoryVerifier:
    """Reads events in parallel with the stored leaves and nodes, and records the first difference."""

    def __init__(self, leaves: Iterator[Leaf], nodes: Iterator[tuple[int, int, bytes]], stored_leaf_count: int) -> None:
        self.tree = GrowingTree()
        self.difference: Difference | None = None
        self._leaves = leaves
        self._nodes = nodes
        self._stored_leaf_count = stored_leaf_count
        self._altered: tuple[int, str] | None = None
        self._first_missing: tuple[int, int] | None = None

    def read(
        self, rows: Iterator[bytes], signed_roots: Iterator[SignedRoot], progress: Callable[[int, int], None]
    ) -> Roots:
        """Read all events, and return the comparison with the signed roots. `rows` are encoded leaves."""
        roots, tree = Roots(), self.tree
        comparison = RootComparison(roots, tree, signed_roots)
        leaf = next(self._leaves, None)
        for data in rows:
            position = int.from_bytes(data[4:12])  # after its length (`leaf_encoding.py`)
            expected = (tree.size, position, sha256(b"\x00" + data).digest())  # `leaf_hash`, without a call
            leaf = next(self._leaves, None) if leaf == expected else self._compare_leaf(leaf, expected)
            completed = tree.append(expected[2])
            if completed:
                self._compare_nodes(completed, position)
            if tree.size == comparison.next_size:
                comparison.compare_current()
            if tree.size % PROGRESS_INTERVAL == 0:
                progress(tree.size, self._stored_leaf_count)
        if leaf is not None:
            self._record_difference(leaf[0], leaf[1], GONE)
        comparison.end()
        progress(tree.size, tree.size)
        return roots

    def find_altered_tree_data(self, roots: Roots) -> Finding | None:
        """Return the first fault in the stored tree, if any. Only relevant if the events themselves are right."""
        if self._altered is not None:
            return Finding(self._altered[0], self._altered[0], self._altered[1])
        if self._first_missing is not None and roots.good is not None and roots.good.size > self._first_missing[0]:
            position = self._first_missing[1]
            return Finding(position, position, "stored data for proofs is missing from here on")
        return None

    def _compare_leaf(self, leaf: Leaf | None, expected: Leaf) -> Leaf | None:
        """Record the difference between a stored leaf and the expected one, and return the next stored leaf."""
        index, position, digest = expected
        while leaf is not None and leaf[1] < position:
            self._record_difference(leaf[0], leaf[1], GONE)
            leaf = next(self._leaves, None)
        if leaf is None:
            self._first_missing = self._first_missing or (index, position)
            return None
        if leaf[1] > position:
            self._record_difference(index, position, ADDED)
            return leaf
        if leaf[2] != digest:
            self._record_difference(index, position, CHANGED)
        elif leaf[0] != index:
            self._record_difference(index, position, MOVED)
        return next(self._leaves, None)

    def _record_difference(self, leaf: int, position: int, description: str) -> None:
        self.difference = self.difference or Difference(leaf, position, description)

    def _compare_nodes(self, completed: Sequence[tuple[Subtree, bytes]], position: int) -> None:
        if self.difference is not None or self._altered is not None or self.tree.size > self._stored_leaf_count:
            return
        for (level, number), digest in completed:
            if next(self._nodes, None) != (level, number, digest):
                description = (
                    f"stored data for proofs was altered: the subtree of {quantity(1 << level, 'event')} that ends here"
                )
                self._altered = self._altered or (position, description)
