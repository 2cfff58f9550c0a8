"""Exports that prove themselves: JSON lines, each an event with what shows that it is in a signed checkpoint.

The first line is the header, the last one the end; in between one line an event, in the order of positions:

    {"subusers_export": 1, "proofs": "each" or "whole", "checkpoint": "<signed note>", "keys": ["<verifier key>", …], …}
    {"position": 7, "stream_id": "<UUID>", "version": 3, "topic": "SubUserCreated", "state": "<base64>",
     "leaf": 6, "path": ["<base64>", …], "shown": {…}}
    {"end": true, "events": 1}

`position`, `stream_id`, `version`, `topic` and `state` (the stored bytes) are what is hashed: `application/leaves.py`.
`leaf` and `path` prove it: which leaf it is, counted from 0, and the hashes on its way to the root, from below. With
`"proofs": "whole"` there are neither: the lines are all events up to the checkpoint, and give its root. `shown` is for
people, and proven by nothing: what it says in the clear is encrypted in `state`.

How to write one is told by `projections/proofs.py`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

VERSION = 1
EACH, WHOLE = "each", "whole"


def header_line(proofs: str, checkpoint: str, keys: Sequence[str], **more: Any) -> dict[str, Any]:
    """Return the first line. `more` is for people: of what account, since when."""
    return {"subusers_export": VERSION, "proofs": proofs, "checkpoint": checkpoint, "keys": list(keys), **more}


def event_line(  # what there is to it
    position: int,
    stream_id: UUID,
    version: int,
    topic: str,
    state: bytes,
    proof: Mapping[str, Any] | None = None,
    shown: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the line of an event: with its proof, or without where the whole history follows."""
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


def proof_of(leaf: int, path: Sequence[bytes]) -> dict[str, Any]:
    """Return the part of a line that proves it."""
    return {"leaf": leaf, "path": [base64.b64encode(one).decode() for one in path]}


def end_line(events: int) -> dict[str, Any]:
    """Return the last line, by which a file is known to be whole."""
    return {"end": True, "events": events}
