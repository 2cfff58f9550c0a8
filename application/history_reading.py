"""Reads history beside what was kept of it, and compares the roots that it gives with those that were signed."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from application.first_bad import Difference, Finding, Roots
from application.merkle import GrowingTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from application.first_bad import SignedRoot
    from application.merkle import Subtree

TELL_EVERY = 5000
"""Events between two words about the progress."""

GONE = "the event is gone"
ADDED = "the event was not recorded there: it was put in later"
CHANGED = "the event is not what was recorded"
MOVED = "what was kept of the event stands in another place"

Leaf = tuple[int, int, bytes]
"""Which leaf, at what position, and its hash."""


class RootComparison:
    """Compares a tree as it grows with the roots that were signed."""

    def __init__(self, roots: Roots, tree: GrowingTree, signed: Iterator[SignedRoot]) -> None:
        self._roots = roots
        self._tree = tree
        self._signed = signed
        self._next = next(signed, None)
        self.at = -1
        self.grown()

    def grown(self) -> None:
        """Compare, if there is a root of this size."""
        while self._next is not None and self._next.size <= self._tree.size:
            self._roots.compare(self._next, self._tree.root() if self._next.size == self._tree.size else None)
            self._next = next(self._signed, None)
        self.at = self._next.size if self._next is not None else -1

    def end(self) -> None:
        """Have it told which roots the tree never came to."""
        while self._next is not None:
            self._roots.compare(self._next, None)
            self._next = next(self._signed, None)


class HistoryReading:
    """Reads events beside what was kept of them, and remembers the first difference."""

    def __init__(self, leaves: Iterator[Leaf], nodes: Iterator[tuple[int, int, bytes]], kept: int) -> None:
        self.tree = GrowingTree()
        self.difference: Difference | None = None
        self._leaves = leaves
        self._nodes = nodes
        self._kept = kept
        self._altered: tuple[int, str] | None = None
        self._first_without: tuple[int, int] | None = None

    def read(self, rows: Iterator[bytes], signed: Iterator[SignedRoot], progress: Callable[[int, int], None]) -> Roots:
        """Read to the end, and return how the signed roots compare."""
        roots, tree = Roots(), self.tree
        comparison = RootComparison(roots, tree, signed)
        leaf = next(self._leaves, None)
        for data in rows:
            expected = (tree.size, int.from_bytes(data[4:12]), sha256(b"\x00" + data).digest())
            leaf = next(self._leaves, None) if leaf == expected else self._differing(leaf, expected)
            completed = tree.append(expected[2])
            if completed:
                self._compare_nodes(completed, expected[1])
            if tree.size == comparison.at:
                comparison.grown()
            if tree.size % TELL_EVERY == 0:
                progress(tree.size, self._kept)
        if leaf is not None:
            self._differs(leaf[0], leaf[1], GONE)
        comparison.end()
        progress(tree.size, tree.size)
        return roots

    def altered(self, roots: Roots) -> Finding | None:
        """Say what was altered of that which was kept, where the events are right."""
        if self._altered is not None:
            return Finding(self._altered[0], self._altered[0], self._altered[1])
        if self._first_without is not None and roots.good is not None and roots.good.size > self._first_without[0]:
            position = self._first_without[1]
            return Finding(position, position, "what was kept for proofs is missing from here on")
        return None

    def _differing(self, leaf: Leaf | None, expected: Leaf) -> Leaf | None:
        """Say what is different at this event, or before it, and return the next leaf."""
        number, position, digest = expected
        while leaf is not None and leaf[1] < position:
            self._differs(leaf[0], leaf[1], GONE)
            leaf = next(self._leaves, None)
        if leaf is None:
            self._first_without = self._first_without or (number, position)
            return None
        if leaf[1] > position:
            self._differs(number, position, ADDED)
            return leaf
        if leaf[2] != digest:
            self._differs(number, position, CHANGED)
        elif leaf[0] != number:
            self._differs(number, position, MOVED)
        return next(self._leaves, None)

    def _differs(self, leaf: int, position: int, what: str) -> None:
        self.difference = self.difference or Difference(leaf, position, what)

    def _compare_nodes(self, completed: Sequence[tuple[Subtree, bytes]], position: int) -> None:
        if self.difference is not None or self._altered is not None or self.tree.size > self._kept:
            return
        for (level, number), digest in completed:
            if next(self._nodes, None) != (level, number, digest):
                what = f"what was kept for proofs was altered: the subtree of {1 << level} events that ends here"
                self._altered = self._altered or (position, what)
