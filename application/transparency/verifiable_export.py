"""Format of exports with proofs: JSON lines, each an event with the proof that a signed checkpoint includes it.

The first line is the header, the last one marks the end. Each line between them is an event, in order of positions:

    {"subusers_export": 2, "proofs": "each" or "whole", "checkpoint": "<signed note>", "keys": ["<verifier key>", …],
     "successions": ["<signed note>", …], "account_id": …, "since": …, "until": …, "after": …, "cursor": …, "digest": …}
    {"position": 7, "stream_id": "<UUID>", "version": 3, "topic": "SubUserCreated", "state": "<base64>",
     "leaf": 6, "path": ["<base64>", …], "shown": {…}, "digest": …}
    {"end": true, "events": 1, "digest": …}

The leaf hash covers `position`, `stream_id`, `version`, `topic` and `state`, the stored bytes (`leaf_encoding.py`).
`leaf` and `path` are the inclusion proof: the index of the leaf, from 0, and the hashes on the path to the root, lowest
first. With `"proofs": "whole"` lines have neither: the export has all events up to the checkpoint, so a verifier
computes the root from them. `shown` is the event as the audit log shows it, decrypted. Values that are encrypted in
`state` are not proven. `keys` are the service's public keys, and `successions` the signed checkpoints in which one of
them succeeds another (`checkpoint.py`).

`digest` is the SHA-256 of the rest of the line as JSON, sorted by name, without spaces, in ASCII. It detects accidental
changes, not attacks. Version 1 had no digests and no successions. `projections/transparency/proofs.py` writes exports.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

VERSION = 2
EACH, WHOLE = "each", "whole"


@dataclass(frozen=True)
class ExportSelection:
    """Members of the header that say which events an export has: those of one account, or of all accounts (None).

    `since` and `until` limit the time of recording. The export starts after the position `after`. `cursor`
    continues an interrupted export.
    """

    account_id: str | None = None
    since: str | None = None
    until: str | None = None
    after: int = 0
    cursor: str | None = None


def header_line(
    proofs: str, checkpoint: str, keys: Sequence[str], successions: Sequence[str], selection: ExportSelection
) -> dict[str, Any]:
    """Return the first line of an export, with its digest."""
    return with_digest(
        {
            "subusers_export": VERSION,
            "proofs": proofs,
            "checkpoint": checkpoint,
            "keys": list(keys),
            "successions": list(successions),
            **vars(selection),
        }
    )


def event_line(
    position: int,
    stream_id: UUID,
    version: int,
    topic: str,
    state: bytes,
    proof: Mapping[str, Any] | None = None,
    shown: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the line of an event, still without a digest. An export of the whole history needs no `proof`."""
    line: dict[str, Any] = {
        "position": position,
        "stream_id": str(stream_id),
        "version": version,
        "topic": topic,
        "state": base64.b64encode(state).decode(),
    }
    if proof is not None:
        line |= proof
    if shown is not None:
        line["shown"] = shown
    return line


def proof_members(leaf: int, path: Sequence[bytes]) -> dict[str, Any]:
    """Return the members of a line that are its inclusion proof."""
    return {"leaf": leaf, "path": [base64.b64encode(digest).decode() for digest in path]}


def end_line(event_count: int) -> dict[str, Any]:
    """Return the last line, with its digest. It shows that a file is complete."""
    return with_digest({"end": True, "events": event_count})


def with_digest(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line with its digest added."""
    return {**line, "digest": line_digest(line)}


def line_digest(line: Mapping[str, Any]) -> str:
    """Return the digest of a line. An existing digest is not included."""
    rest = {name: value for name, value in line.items() if name != "digest"}
    return sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
