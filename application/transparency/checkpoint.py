"""Checkpoints (c2sp.org/tlog-checkpoint): size and root of the Merkle tree at one time, as the text of a signed note.

    subusers/9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90     origin: identifies the store
    1042                                              number of events
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=      root of the tree over these events
    position 1057                                     position of the last event
    time 2026-05-01T12:00:00Z                         time of signing

If a new signing key succeeds another, two more lines name both keys, and both sign the checkpoint: a succession.
Verifiers that trust the former key then trust its successor, and trust the former key only for trees up to this size.
If the former key is lost, the successor signs alone: this limits the former key for verifiers that trust both keys, but
does not extend trust to the successor.

    predecessor subusers/9b1f…+0a1b2c3d+AY…
    successor subusers/9b1f…+4e5f6071+AZ…

After a loss of history that an operator accepted, every later checkpoint has a line about it: the position after which
events were lost, the last position that is known to be lost, and the time of acceptance. Checkpoints of lost events
cannot be continued. This line says why.

    lost 900 1042 2026-05-02T08:00:00Z
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from application.transparency.signed_note import MalformedKey, SignedNote, VerifierKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from application.transparency.signed_note import Verify

ROOT_BYTES = 32
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
TIME = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z")
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

LOST = "lost "
"""Beginning of a line about a loss of history."""

LOSS_MARGIN = 1000
"""Positions before the beginning of a loss that can be lost as well: commits are not in the order of positions."""


class MalformedCheckpoint(Exception):
    """A text is not a checkpoint of this service. The message describes the problem."""


@dataclass(frozen=True)
class Succession:
    """Succession from one signing key to another."""

    predecessor: VerifierKey
    successor: VerifierKey


@dataclass(frozen=True)
class AcceptedLoss:
    """A loss of history: of the events after `begun_position`, at least up to `lost_position`."""

    begun_position: int
    lost_position: int
    accepted_at: datetime

    def __str__(self) -> str:
        """Return the loss in words."""
        return (
            f"events after position {self.begun_position} were lost, at least up to position {self.lost_position}, "
            f"which the operator accepted on {self.accepted_at.astimezone(UTC):%Y-%m-%d at %H:%M:%S} UTC"
        )

    @property
    def line(self) -> str:
        """The line of a checkpoint."""
        return f"{LOST}{self.begun_position} {self.lost_position} {_time_text(self.accepted_at)}"

    @classmethod
    def parse(cls, line: str) -> AcceptedLoss:
        """Parse the line of a checkpoint. Raises ValueError."""
        begun_position, lost_position, accepted_at = line.removeprefix(LOST).split(" ")
        return cls(_number(begun_position), _number(lost_position), _time(accepted_at))


@dataclass(frozen=True)
class Checkpoint:
    """State of the tree at one time. `position` is the position of its last event, 0 for an empty tree."""

    origin: str
    tree_size: int
    root_hash: bytes
    position: int
    signed_at: datetime
    succession: Succession | None = None
    losses: tuple[AcceptedLoss, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Parse the text of a note. Raises `MalformedCheckpoint`."""
        origin, size, root, *extensions = [*text.removesuffix("\n").split("\n"), "", ""]
        extension_by_name = dict(line.split(" ", 1) for line in extensions if " " in line)
        try:
            return cls(
                origin=_origin(origin),
                tree_size=_number(size),
                root_hash=_root(root),
                position=_number(extension_by_name["position"]),
                signed_at=_time(extension_by_name["time"]),
                succession=_succession(extension_by_name),
                losses=tuple(AcceptedLoss.parse(line) for line in extensions if line.startswith(LOST)),
            )
        except KeyError as missing:
            raise MalformedCheckpoint(f"it has no line `{missing.args[0]}`") from None
        except (ValueError, MalformedKey):
            raise MalformedCheckpoint("it is not a checkpoint of this service") from None

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = [
            self.origin,
            str(self.tree_size),
            base64.b64encode(self.root_hash).decode(),
            f"position {self.position}",
            f"time {_time_text(self.signed_at)}",
        ]
        if self.succession is not None:
            lines += [f"predecessor {self.succession.predecessor}", f"successor {self.succession.successor}"]
        lines += [loss.line for loss in self.losses]
        return "".join(f"{line}\n" for line in lines)


def loss_since(old: Checkpoint, new: Checkpoint) -> AcceptedLoss | None:
    """Return the loss, if any, that explains why a checkpoint does not continue an older one.

    It is one that the newer checkpoint names and the older one does not: the older one includes lost events, and was
    signed before the loss was accepted.
    """
    for loss in new.losses:
        if (
            loss not in old.losses
            and old.position > loss.begun_position - LOSS_MARGIN
            and old.signed_at <= loss.accepted_at
        ):
            return loss
    return None


class AmbiguousTrust(Exception):
    """The keys to trust are ambiguous. The message gives the reason."""


KeyLimits = dict[VerifierKey, int | None]
"""Trusted keys, each with the largest tree size for which it is trusted, or None without a successor."""


@dataclass(frozen=True, order=True)
class _VerifiedSuccession:
    tree_size: int
    predecessor: VerifierKey = field(compare=False)
    successor: VerifierKey = field(compare=False)
    by_both: bool = field(compare=False)


def key_limits(
    trusted: Collection[VerifierKey],
    successions: Iterable[tuple[SignedNote, Checkpoint]],
    verify: Verify,
    *,
    trust_former_keys: bool = False,
) -> KeyLimits:
    """Return all keys to trust, each with its limit on the tree size.

    A succession that both keys signed extends trust from the former key to its successor and, if `trust_former_keys`,
    from the successor to the former key. Once its successor is trusted, a former key is never trusted for a larger
    tree than that of the succession. Raises `AmbiguousTrust` or `BadSignature`.
    """
    limits: KeyLimits = dict.fromkeys(trusted)
    verified_successions = sorted(_verified_successions(successions, verify))
    while True:
        before = dict(limits)
        for succession in verified_successions:
            _apply_succession(succession, verified_successions, limits, trust_former_keys=trust_former_keys)
        if limits == before:
            return limits


def ensure_one_current_key(limits: KeyLimits, own_keys: Collection[VerifierKey] = ()) -> None:
    """Raise `AmbiguousTrust` if several keys of one origin have no limit.

    `own_keys` are in this service's settings and count as one key.
    """
    unlimited = [key for key, limit in limits.items() if limit is None]
    for name in {key.name for key in unlimited}:
        if len({key if key not in own_keys else None for key in unlimited if key.name == name}) > 1:
            raise AmbiguousTrust(f"several keys of {name} are trusted, and no succession says until when each signs")


def is_trusted_for(keys: Iterable[VerifierKey], limits: KeyLimits, tree_size: int) -> bool:
    """Return whether one of these keys is trusted for a tree of this size."""
    limits_of_keys = [limits[key] for key in keys if key in limits]
    return any(limit is None or tree_size <= limit for limit in limits_of_keys)


def _verified_successions(
    successions: Iterable[tuple[SignedNote, Checkpoint]], verify: Verify
) -> Iterator[_VerifiedSuccession]:
    for note, checkpoint in successions:
        succession = checkpoint.succession
        if succession is None or not succession.predecessor.name == succession.successor.name == checkpoint.origin:
            continue
        signers = note.signed_by([succession.predecessor, succession.successor], verify)
        if succession.successor in signers:
            by_both = succession.predecessor in signers
            yield _VerifiedSuccession(checkpoint.tree_size, succession.predecessor, succession.successor, by_both)


def _apply_succession(
    succession: _VerifiedSuccession,
    verified_successions: Sequence[_VerifiedSuccession],
    limits: KeyLimits,
    *,
    trust_former_keys: bool,
) -> None:
    limit = limits.get(succession.predecessor)
    if limit is not None and succession.tree_size > limit:
        return
    if succession.by_both and succession.predecessor in limits and succession.successor not in limits:
        competing_successors = {
            other.successor
            for other in verified_successions
            if other.by_both and other.predecessor == succession.predecessor and other.successor != succession.successor
        }
        if not competing_successors.isdisjoint(limits):
            return
        if competing_successors:
            raise AmbiguousTrust("two keys claim to succeed the same one: give the one to trust as --public-key")
        limits[succession.successor] = None
    if succession.successor in limits and (
        succession.predecessor in limits or (succession.by_both and trust_former_keys)
    ):
        limits[succession.predecessor] = succession.tree_size


def _origin(line: str) -> str:
    if not line or line != line.strip():
        raise ValueError(line)
    return line


def _number(text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _time(text: str) -> datetime:
    if not TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)


def _time_text(time: datetime) -> str:
    return time.astimezone(UTC).strftime(TIME_FORMAT)


def _root(text: str) -> bytes:
    try:
        root = base64.b64decode(text, validate=True)
    except binascii.Error:
        root = b""
    if len(root) != ROOT_BYTES or base64.b64encode(root).decode() != text:
        raise ValueError(text)
    return root


def _succession(extension_by_name: dict[str, str]) -> Succession | None:
    if "successor" not in extension_by_name:
        return None
    predecessor, successor = (VerifierKey.parse(extension_by_name[name]) for name in ("predecessor", "successor"))
    return Succession(predecessor, successor)
