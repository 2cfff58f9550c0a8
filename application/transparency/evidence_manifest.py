"""Manifest of an evidence pack: the digests of its files, and the text that the service's key signs.

`SHA256SUMS` has a line for each file, as `sha256sum` writes it. The signed note `SHA256SUMS.note` has this text:

    subusers/9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90 evidence
    tree_size 1042
    sha256 4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865

The first line is not the origin of the store, so no verifier accepts the note as a checkpoint. `tree_size` is that of
the pack's checkpoint: a key that another one succeeded is not trusted for larger trees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMS, SIGNED_SUMS = "SHA256SUMS", "SHA256SUMS.note"


def sums(digest_by_name: Mapping[str, str]) -> str:
    """Return the contents of `SHA256SUMS`: hexadecimal digests, in the order of the names."""
    return "".join(f"{digest_by_name[name]}  {name}\n" for name in sorted(digest_by_name))


def text_to_sign(origin: str, tree_size: int, sums_digest: str) -> str:
    """Return the text of the signed note. `sums_digest` is the hexadecimal digest of `SHA256SUMS`."""
    return f"{origin} evidence\ntree_size {tree_size}\nsha256 {sums_digest}\n"
