"""Merkle tree (RFC 6962), verified with the vectors of Certificate Transparency and with pymerkle."""

from __future__ import annotations

import random

import pymerkle
import pytest

from application.transparency.merkle import (
    EMPTY_ROOT,
    Frontier,
    Range,
    consistency_ranges,
    inclusion_ranges,
    is_consistent,
    leaf_hash,
    root_from_inclusion_proof,
    root_of,
)

LEAVES = [bytes.fromhex(leaf) for leaf in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""From the tests of certificate-transparency (merkletree/merkle_tree_test.cc)."""

LEAF_COUNT = 70
"""More than several powers of two."""

DATA = [number.to_bytes(2, "big") for number in range(LEAF_COUNT)]
HASHES = [leaf_hash(leaf) for leaf in DATA]


@pytest.fixture(scope="module")
def reference_tree() -> pymerkle.InmemoryTree:
    """Independent tree of the same leaves."""
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in DATA:
        tree.append_entry(leaf)
    return tree


def path_of(ranges: list[Range]) -> list[bytes]:
    return [root_of(HASHES[start:end]) for start, end in ranges]


def test_roots_equal_the_vectors_of_certificate_transparency() -> None:
    """The vectors have eight leaves, and the root after each."""
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        frontier.append(leaf_hash(leaf))
        assert frontier.root().hex() == root


def test_roots_equal_those_of_pymerkle(reference_tree: pymerkle.InmemoryTree) -> None:
    for size in range(1, LEAF_COUNT + 1):
        assert root_of(HASHES[:size]) == reference_tree.get_root(size)


def test_inclusion_proofs_equal_those_of_pymerkle(reference_tree: pymerkle.InmemoryTree) -> None:
    """Covers every leaf of every tree size; each proof verifies."""
    for size in range(1, LEAF_COUNT + 1):
        for index in range(size):
            path = path_of(inclusion_ranges(index, size))
            assert [HASHES[index], *path] == list(reference_tree.prove_inclusion(index + 1, size).path)
            assert root_from_inclusion_proof(HASHES[index], index, size, path) == reference_tree.get_root(size)


def test_consistency_proofs_verify_against_pymerkle(reference_tree: pymerkle.InmemoryTree) -> None:
    """Covers every pair of tree sizes."""
    for second in range(1, LEAF_COUNT + 1):
        for first in range(1, second + 1):
            path = path_of(consistency_ranges(first, second))
            assert is_consistent(first, reference_tree.get_root(first), second, reference_tree.get_root(second), path)
            assert not is_consistent(first, HASHES[0][::-1], second, reference_tree.get_root(second), path)


def test_altered_inclusion_proofs_are_rejected() -> None:
    """With another leaf, index, size, length or hash, none leads to the root."""
    rng = random.Random(6962)
    for _ in range(500):
        size = rng.randrange(2, LEAF_COUNT + 1)
        index = rng.randrange(size)
        path, root = path_of(inclusion_ranges(index, size)), root_of(HASHES[:size])
        altered = path.copy()
        altered[rng.randrange(len(path))] = rng.randbytes(32)
        assert root_from_inclusion_proof(HASHES[index], index, size, altered) != root
        assert root_from_inclusion_proof(HASHES[index - 1], index, size, path) != root
        assert root_from_inclusion_proof(HASHES[index], (index + 1) % size, size, path) != root
        assert root_from_inclusion_proof(HASHES[index], index, size, path[:-1]) != root
        assert root_from_inclusion_proof(HASHES[index], index, size, [*path, root]) != root
    assert root_from_inclusion_proof(HASHES[0], 1, 1, []) is None
    assert root_from_inclusion_proof(HASHES[0], -1, 1, []) is None


def test_diverging_trees_are_not_consistent() -> None:
    """A leaf of the first tree differs in the second. Proofs from either list of leaves fail."""
    rng = random.Random(9162)
    for _ in range(300):
        second = rng.randrange(2, LEAF_COUNT + 1)
        first = rng.randrange(1, second)
        rewritten = HASHES.copy()
        rewritten[rng.randrange(first)] = rng.randbytes(32)
        roots = root_of(HASHES[:first]), root_of(rewritten[:second])
        for hashes in (HASHES, rewritten):
            path = [root_of(hashes[start:end]) for start, end in consistency_ranges(first, second)]
            assert not is_consistent(first, roots[0], second, roots[1], path)
    assert is_consistent(0, EMPTY_ROOT, 5, ROOTS[4].encode(), [])
    assert not is_consistent(5, HASHES[0], 4, HASHES[0], [])
