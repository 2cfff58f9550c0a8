#!/usr/bin/env python3
"""Checks an export of subusers: are these the events that were signed? Exits 0 if so, 1 if not, 2 if it cannot tell.

    python3 verify_export.py FILE --public-key KEY [--public-key KEY ...]

It needs Python 3.9 or later and the library `cryptography`, and nothing of the project that made the export. KEY is the
public key of the service, such as `subusers/9b1f2e7a-...+4e5f6071+AZ...`; have it from the operator, not from the file.

The first line of the file is a header with a checkpoint: a text that says how many events there were, and the root of
the Merkle tree over them was, with Ed25519 signatures below it (c2sp.org/signed-note, c2sp.org/tlog-checkpoint). Then
comes a line for each event, and a last one that counts them. Each event is hashed here, from `position`, `stream_id`,
`version`, `topic` and `state`; nothing else in its line is proven, least of all `shown`. By the hashes in its `path`
its own leads to the root that was signed (RFC 6962), or, where the header says "whole", all together give that root.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import struct
import sys
import uuid
from collections.abc import Iterator, Sequence  # noqa: TC003  # one import less to explain
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Tampered(Exception):
    """Something is not as it was signed."""


class CannotTell(Exception):
    """The file is not what this can check, or no key that is trusted has signed it."""


# Hashing: RFC 6962, section 2.1.


def leaf_hash(line: dict[str, Any]) -> bytes:
    """Return the hash of an event: of a zero byte and five fields, each behind its length in four bytes."""
    fields = [
        struct.pack(">q", line["position"]),
        uuid.UUID(line["stream_id"]).bytes,
        struct.pack(">q", line["version"]),
        line["topic"].encode(),
        base64.b64decode(line["state"], validate=True),
    ]
    data = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to, None if it cannot be one of that leaf (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for other in path:
        if last == 0:
            return None
        if node % 2 == 1 or node == last:
            root = node_hash(other, root)
            while node % 2 == 0 and node != 0:
                node, last = node // 2, last // 2
        else:
            root = node_hash(root, other)
        node, last = node // 2, last // 2
    return root if last == 0 else None


class Tree:
    """All leaves, in order: of complete subtrees no more than their roots are kept, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.roots: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Take in the next leaf. Each pair of subtrees of one size becomes one: as a counter carries over."""
        size, self.size = self.size, self.size + 1
        while size % 2 == 1:
            leaf = node_hash(self.roots.pop(), leaf)
            size //= 2
        self.roots.append(leaf)

    def root(self) -> bytes:
        """Return the root over all of them."""
        if not self.roots:
            return hashlib.sha256(b"").digest()
        root = self.roots[-1]
        for larger in self.roots[-2::-1]:
            root = node_hash(larger, root)
        return root


# The checkpoint: a signed note.


def parse_key(text: str) -> tuple[str, bytes, bytes]:
    """Return the name, the id and the public key of NAME+ID+KEY."""
    match = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", text.strip())
    key = base64.b64decode(match[3]) if match else b""
    if match is None or len(key) != 33 or key[0] != 1:  # 1 says that it is Ed25519
        raise CannotTell(f"no public key: {text}")
    name, key_id = match[1], hashlib.sha256(match[1].encode() + b"\n" + key).digest()[:4]
    if key_id.hex() != match[2]:
        raise CannotTell(f"a public key with an error in it: {text}")
    return name, key_id, key[1:]


def read_checkpoint(note: str, keys: Sequence[tuple[str, bytes, bytes]]) -> tuple[int, bytes, str]:
    """Return how many events were signed, the root over them, and the text. One of these keys must have signed it."""
    text, _, below = note.rpartition("\n\n")
    text += "\n"  # the last newline belongs to what is signed
    good = 0
    for line in below.splitlines():
        dash, name, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        for trusted_name, key_id, public_key in keys:
            if dash == "\u2014" and (name, signature[:4]) == (trusted_name, key_id):
                Ed25519PublicKey.from_public_bytes(public_key).verify(signature[4:], text.encode())
                good += 1
    origin, size, root = text.split("\n")[:3]
    if not good or origin not in {name for name, _, _ in keys}:
        raise CannotTell("no key that you trust has signed the checkpoint")
    return int(size), base64.b64decode(root, validate=True), text


# The file.


def check(lines: Iterator[bytes], keys: Sequence[tuple[str, bytes, bytes]]) -> str:
    """Check a file line by line, and return a sentence that says what it proves."""
    header = json.loads(next(lines))
    if header.get("subusers_export") != 1 or header.get("proofs") not in {"each", "whole"}:
        raise CannotTell("this is no export with proofs, or one of another version")
    size, root, text = read_checkpoint(header["checkpoint"], keys)
    tree, last, count, end = Tree(), 0, 0, None
    for line in map(json.loads, lines):
        if end is not None:
            raise CannotTell("there are lines behind the end")
        if line.get("end") is True:
            end = line["events"]
            continue
        leaf, count = leaf_hash(line), count + 1
        if line["position"] <= last:
            raise Tampered(f"position {line['position']} is out of order, or told twice")
        last = line["position"]
        if header["proofs"] == "whole":
            tree.append(leaf)
        elif root_by_path(leaf, line["leaf"], size, [base64.b64decode(one) for one in line["path"]]) != root:
            raise Tampered(f"the event at position {line['position']} is not the one that was signed")
    if header["proofs"] == "whole" and (tree.size, tree.root()) != (size, root):
        raise Tampered(f"these {tree.size} events are not the {size} that were signed")
    if end != count:
        raise CannotTell("the file is cut off: its last line does not say how many events it has")
    return f"right: {count} events are as they were signed. The checkpoint:\n\n{text}"


def main() -> int:
    """Check the file that is named on the command line, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="the export, as JSON lines")
    parser.add_argument("--public-key", action="append", required=True, metavar="KEY", help="may be given again")
    given = parser.parse_args()
    try:
        with Path(given.file).open("rb") as lines:
            print(check(lines, [parse_key(one) for one in given.public_key]))
    except Tampered as error:
        print(f"tampered: {error}")
        return 1
    except InvalidSignature:
        print("could not tell: the checkpoint was altered after it was signed", file=sys.stderr)
        return 2
    except (CannotTell, OSError, ValueError, KeyError, TypeError, AttributeError, struct.error, StopIteration) as error:
        print(f"could not tell: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
