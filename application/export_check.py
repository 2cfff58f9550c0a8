"""Checks an export that proves itself (`application/proof_lines.py`), line by line, with nothing but a public key."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from application.checkpoints import Checkpoint, MalformedCheckpoint
from application.first_bad import CannotTell, Finding
from application.leaves import event_hash
from application.merkle import GrowingTree, root_by_inclusion
from application.proof_lines import EACH, VERSION, WHOLE
from application.signed_notes import BadSignature, MalformedNote, SignedNote, VerifierKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from application.signed_notes import Verify

FORMS = {EACH, WHOLE}


@dataclass(frozen=True)
class ExportVerdict:
    """How many events there are, in what checkpoint, and what is wrong, if anything is."""

    events: int
    checkpoint: Checkpoint
    finding: Finding | None


def check_export(
    lines: Iterable[bytes],
    trusted: Collection[bytes | VerifierKey],
    verify: Verify,
    progress: Callable[[int], None] = lambda _: None,
) -> ExportVerdict:
    """Check an export, up to the first event that is not as it was. Raises `CannotTell`."""
    parsed = _parsed(lines)
    header = next(parsed, {})
    if header.get("subusers_export") != VERSION or header.get("proofs") not in FORMS:
        raise CannotTell("it is no export with proofs of this version")
    checkpoint = genuine(header.get("checkpoint"), trusted, verify)
    check = _check_whole if header["proofs"] == WHOLE else _check_each
    ended: list[int] = []
    try:
        events, finding = check(_events(parsed, ended, progress), checkpoint)
    except (KeyError, TypeError, ValueError, AttributeError, struct.error):
        raise CannotTell("a line of it has not what the line of an event has to have") from None
    if finding is None and ended != [events]:
        raise CannotTell(f"it is cut off: {events} events, and no end that says so")
    return ExportVerdict(events, checkpoint, finding)


def genuine(note: Any, trusted: Collection[bytes | VerifierKey], verify: Verify) -> Checkpoint:
    """Return the checkpoint that a note is, if a key that is trusted has signed it. Raises `CannotTell`."""
    try:
        signed = SignedNote.parse(str(note))
        checkpoint = Checkpoint.parse(signed.text)
        keys = [one if isinstance(one, VerifierKey) else VerifierKey(checkpoint.origin, one) for one in trusted]
        if not keys:
            raise CannotTell("no key is trusted: give --public-key, or SUBUSERS_SIGNING_KEY")
        if not signed.signed_by([one for one in keys if one.name == checkpoint.origin], verify):
            raise CannotTell("no key that is trusted has signed the checkpoint")
    except (MalformedNote, MalformedCheckpoint, BadSignature) as error:
        raise CannotTell(f"the checkpoint is not genuine: {error}") from None
    return checkpoint


def _check_each(events: Iterator[dict[str, Any]], checkpoint: Checkpoint) -> tuple[int, Finding | None]:
    count, last = 0, 0
    for one in events:
        count += 1
        position, leaf = one["position"], _leaf(one)
        path = [base64.b64decode(digest, validate=True) for digest in one["path"]]
        if position <= last:
            return count, Finding(position, position, "it is out of order, or told twice")
        if root_by_inclusion(leaf, one["leaf"], checkpoint.tree_size, path) != checkpoint.root_hash:
            return count, Finding(position, position, "the event is not in the checkpoint as it stands here")
        last = position
    return count, None


def _check_whole(events: Iterator[dict[str, Any]], checkpoint: Checkpoint) -> tuple[int, Finding | None]:
    tree, last = GrowingTree(), 0
    for one in events:
        if one["position"] <= last:
            return tree.size, Finding(one["position"], one["position"], "it is out of order, or told twice")
        last = one["position"]
        tree.append(_leaf(one))
    if (tree.size, tree.root()) != (checkpoint.tree_size, checkpoint.root_hash):
        what = f"these {tree.size} events are not the {checkpoint.tree_size} of the checkpoint"
        return tree.size, Finding(1, max(1, checkpoint.position), what)
    return tree.size, None


def _leaf(line: dict[str, Any]) -> bytes:
    state = base64.b64decode(line["state"], validate=True)
    return event_hash(line["position"], UUID(line["stream_id"]), line["version"], line["topic"], state)


def _parsed(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            parsed = json.loads(line)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise CannotTell(f"line {number} is no JSON object")
        yield parsed


def _events(
    lines: Iterator[dict[str, Any]], ended: list[int], progress: Callable[[int], None]
) -> Iterator[dict[str, Any]]:
    """Yield the lines of events, and put down how many the end says there are."""
    for number, line in enumerate(lines, 1):
        if ended:
            raise CannotTell("there are lines behind its end")
        if line.get("end") is True:
            ended.append(line.get("events", -1))
            continue
        yield line
        progress(number)
