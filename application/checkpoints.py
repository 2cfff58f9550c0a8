"""Checkpoints (c2sp.org/tlog-checkpoint): what the tree over the history was at a moment, as a note to be signed.

    subusers/9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90     the origin: which store
    1042                                              how many events
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=      the root of the tree over them
    position 1057                                     of the last of them
    time 2026-05-01T12:00:00Z                         when it was signed

Where one signing key takes over from another, two more lines name both, and both sign: whoever trusts one of them
knows the other by it.

    predecessor subusers/9b1f…+0a1b2c3d+AY…
    successor subusers/9b1f…+4e5f6071+AZ…
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from application.signed_notes import MalformedKey, SignedNote, VerifierKey

if TYPE_CHECKING:
    from application.signed_notes import Verify

ROOT_BYTES = 32
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class MalformedCheckpoint(Exception):
    """Not a checkpoint of this service; the message says what is wrong with it."""


@dataclass(frozen=True)
class Handover:
    """From which key to which."""

    predecessor: VerifierKey
    successor: VerifierKey


@dataclass(frozen=True)
class Checkpoint:
    """The tree at a moment: `position` is that of its last event, 0 if it has none."""

    origin: str
    tree_size: int
    root_hash: bytes
    position: int
    signed_at: datetime
    handover: Handover | None = None

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Return the checkpoint that a note's text is. Raises `MalformedCheckpoint`."""
        origin, size, root, *extensions = [*text.removesuffix("\n").split("\n"), "", ""]
        named = dict(line.split(" ", 1) for line in extensions if " " in line)
        try:
            return cls(
                origin=_origin(origin),
                tree_size=_number(size),
                root_hash=_root(root),
                position=_number(named["position"]),
                signed_at=datetime.strptime(named["time"], TIME_FORMAT).replace(tzinfo=UTC),
                handover=_handover(named),
            )
        except KeyError as missing:
            raise MalformedCheckpoint(f"it has no line `{missing.args[0]}`") from None
        except (ValueError, MalformedKey):
            raise MalformedCheckpoint("it is no checkpoint of this service") from None

    @property
    def text(self) -> str:
        """What is signed."""
        lines = [
            self.origin,
            str(self.tree_size),
            base64.b64encode(self.root_hash).decode(),
            f"position {self.position}",
            f"time {self.signed_at.astimezone(UTC).strftime(TIME_FORMAT)}",
        ]
        if self.handover is not None:
            lines += [f"predecessor {self.handover.predecessor}", f"successor {self.handover.successor}"]
        return "".join(f"{line}\n" for line in lines)


def trusted_keys(
    trusted: set[VerifierKey], handovers: list[tuple[SignedNote, Checkpoint]], verify: Verify
) -> set[VerifierKey]:
    """Return these keys, and those that they are bound to by handovers which both keys have signed."""
    found = set(trusted)
    while True:
        before = len(found)
        for note, checkpoint in handovers:
            pair = checkpoint.handover
            if pair is not None and not found.isdisjoint({pair.predecessor, pair.successor}):
                both = [pair.predecessor, pair.successor]
                if set(note.signed_by(both, verify)) == set(both):
                    found.update(both)
        if len(found) == before:
            return found


def _origin(line: str) -> str:
    if not line or line != line.strip():
        raise ValueError(line)
    return line


def _number(text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _root(text: str) -> bytes:
    try:
        root = base64.b64decode(text, validate=True)
    except binascii.Error:
        root = b""
    if len(root) != ROOT_BYTES or base64.b64encode(root).decode() != text:
        raise ValueError(text)
    return root


def _handover(named: dict[str, str]) -> Handover | None:
    if "successor" not in named:
        return None
    return Handover(VerifierKey.parse(named["predecessor"]), VerifierKey.parse(named["successor"]))
