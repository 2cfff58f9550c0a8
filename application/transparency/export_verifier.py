"""Verifier of exports (`verifiable_export.py`). It reads them line by line, and needs only a public key.

`tools/verify_export.py` is a second, independent implementation of the same checks.
"""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

from application.display_text import quantity
from application.transparency.checkpoint import (
    AmbiguousTrust,
    Checkpoint,
    MalformedCheckpoint,
    ensure_one_current_key,
    is_trusted_for,
    key_limits,
)
from application.transparency.export_claims import ClaimsVerifier, Tampered
from application.transparency.leaf_encoding import event_hash
from application.transparency.merkle import GrowingTree, root_from_inclusion_proof
from application.transparency.signed_note import BadSignature, MalformedKey, MalformedNote, SignedNote, VerifierKey
from application.transparency.tamper_locator import CannotVerify, Finding
from application.transparency.verifiable_export import EACH, VERSION, WHOLE, line_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from application.transparency.signed_note import Verify

PROOF_KINDS = {EACH, WHOLE}
VERSION_WITHOUT_DIGESTS = 1
"""Version of exports without digests and successions."""

HEADER_MEMBERS = {"subusers_export", "proofs", "checkpoint", "keys"}
"""Members that the header has besides those of `ExportSelection` and, since version 2, `successions` and `digest`."""

SELECTION_MEMBERS = {"account_id", "since", "until", "after", "cursor"}
EVENT_MEMBERS = {"position", "stream_id", "version", "topic", "state"}
PROOF_MEMBERS = {"leaf", "path"}
END_MEMBERS = {"end", "events"}

MALFORMED_ERRORS = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
    MalformedKey,
    struct.error,
)
"""Exceptions raised by malformed lines."""


@dataclass(frozen=True)
class ExportVerdict:
    """Result of a verification: number of events, checkpoint, first fault, and proven and unproven properties."""

    events: int
    checkpoint: Checkpoint | None
    finding: Finding | None
    statements: Sequence[str] = ()


def verify_export(
    lines: Iterable[bytes],
    trusted: Collection[bytes | VerifierKey],
    verify: Verify,
    actions: Mapping[str, str],
    progress: Callable[[int], None] = lambda _: None,
    successions: Sequence[str] = (),
) -> ExportVerdict:
    """Verify an export up to the first event that was tampered with. Raises `CannotVerify`.

    `actions` are the actions of events by topic. `successions` are signed notes that the caller has kept.
    """
    parsed = _parsed(lines)
    header = next(parsed, {})
    version = header.get("subusers_export")
    if (
        type(version) is not int
        or version not in {VERSION_WITHOUT_DIGESTS, VERSION}
        or header.get("proofs") not in PROOF_KINDS
    ):
        raise CannotVerify("it is not an export with proofs, or has an unknown version")
    has_digests = version != VERSION_WITHOUT_DIGESTS
    try:
        if has_digests:
            _require_members(header, HEADER_MEMBERS | SELECTION_MEMBERS | {"successions", "digest"}, set(), 1)
            if header["digest"] != line_digest(header):
                return ExportVerdict(0, None, Finding(1, 1, "the header was altered"))
        else:
            _require_members(header, HEADER_MEMBERS, SELECTION_MEMBERS, 1)
        all_successions = [*header.get("successions", ()), *successions]
        checkpoint = trusted_checkpoint(header["checkpoint"], trusted, verify, all_successions)
        check = _ExportCheck(header, checkpoint, actions, has_digests=has_digests)
        finding = check.run(parsed, progress)
    except MALFORMED_ERRORS:
        raise CannotVerify("a line is malformed: a value is missing or invalid") from None
    return ExportVerdict(check.events, checkpoint, finding, check.claims.statements(check.events))


def trusted_checkpoint(
    note: Any, trusted: Collection[bytes | VerifierKey], verify: Verify, successions: Sequence[str] = ()
) -> Checkpoint:
    """Return the checkpoint in a note if a trusted key signed it within its limit. Raises `CannotVerify`."""
    checkpoint, signers = signed_checkpoint(note, trusted, verify, successions)
    keys = _with_names(trusted, checkpoint.origin)
    try:
        limits = key_limits(keys, map(_succession, successions), verify)
        ensure_one_current_key(
            limits, [key for key in keys if key.public_key in trusted]
        )  # those of the settings have no name
    except (AmbiguousTrust, BadSignature) as error:
        raise CannotVerify(str(error)) from None
    if not is_trusted_for(signers, limits, checkpoint.tree_size):
        raise CannotVerify("the key that signed the checkpoint had been succeeded by another before")
    return checkpoint


def signed_checkpoint(
    note: Any, trusted: Collection[bytes | VerifierKey], verify: Verify, successions: Sequence[str] = ()
) -> tuple[Checkpoint, Collection[VerifierKey]]:
    """Return the checkpoint in a note, and the trusted keys that signed it, also beyond their limits.

    Raises `CannotVerify`.
    """
    try:
        signed = SignedNote.parse(str(note))
        checkpoint = Checkpoint.parse(signed.text)
        keys = _with_names(trusted, checkpoint.origin)
        if not keys:
            raise CannotVerify("no key is trusted: give --public-key, or SUBUSERS_SIGNING_KEY")
        limits = key_limits(keys, map(_succession, successions), verify)
        signers = signed.signed_by([key for key in limits if key.name == checkpoint.origin], verify)
    except AmbiguousTrust as error:
        raise CannotVerify(str(error)) from None
    except (MalformedNote, MalformedCheckpoint, BadSignature) as error:
        raise CannotVerify(f"the checkpoint is not genuine: {error}") from None
    if not signers:
        raise CannotVerify("no trusted key has signed the checkpoint")
    return checkpoint, signers


def _with_names(trusted: Collection[bytes | VerifierKey], origin: str) -> set[VerifierKey]:
    """Return the keys with names. Keys from the settings have none, and get the origin of the checkpoint."""
    return {key if isinstance(key, VerifierKey) else VerifierKey(origin, key) for key in trusted}


def _succession(note: str) -> tuple[SignedNote, Checkpoint]:
    try:
        signed = SignedNote.parse(str(note))
        checkpoint = Checkpoint.parse(signed.text)
    except (MalformedNote, MalformedCheckpoint) as error:
        raise CannotVerify(f"a succession is not genuine: {error}") from None
    if checkpoint.succession is None:
        raise CannotVerify("a succession does not name a successor")
    return signed, checkpoint


class _ExportCheck:
    """One pass over the lines after the header."""

    def __init__(
        self, header: Mapping[str, Any], checkpoint: Checkpoint, actions: Mapping[str, str], *, has_digests: bool
    ) -> None:
        self.events = 0
        self.claims = ClaimsVerifier(header, checkpoint, actions)
        self._checkpoint = checkpoint
        self._whole = header["proofs"] == WHOLE
        self._digest = {"digest"} if has_digests else set()
        self._tree = GrowingTree()
        self._position = self.claims.after
        self._leaf = -1
        self._declared_events: int | None = None

    def run(self, lines: Iterator[dict[str, Any]], progress: Callable[[int], None]) -> Finding | None:
        """Check all lines, and return the first fault, if any."""
        for number, line in enumerate(lines, 2):
            if self._declared_events is not None:
                raise CannotVerify("there are lines after the last one")
            if self._digest and line.get("digest") != line_digest(line):
                return self._finding(f"line {number} was altered")
            if "end" in line:
                _require_members(line, END_MEMBERS | self._digest, set(), number)
                _require_integers(line, "events")
                self._declared_events = line["events"]
                continue
            try:
                self._check(line, number)
            except Tampered as error:
                return Finding(line["position"], line["position"], str(error))
            progress(self.events)
        return self._end()

    def _check(self, line: dict[str, Any], number: int) -> None:
        _require_members(
            line, EVENT_MEMBERS | self._digest | (set() if self._whole else PROOF_MEMBERS), {"shown"}, number
        )
        _require_integers(line, "position", "version", *([] if self._whole else ["leaf"]))
        if line["position"] <= self._position:
            raise Tampered("it is out of order, repeated, or not selected by the header")
        self._position = line["position"]
        state = _from_base64(line["state"])
        leaf = event_hash(line["position"], _uuid(line["stream_id"]), line["version"], line["topic"], state)
        self.events += 1
        if self._whole:
            self._tree.append(leaf)
        else:
            self._check_inclusion(line, leaf)
        self.claims.check(line, json.loads(state))

    def _check_inclusion(self, line: Mapping[str, Any], leaf: bytes) -> None:
        path = [_from_base64(digest) for digest in line["path"]]
        if (
            root_from_inclusion_proof(leaf, line["leaf"], self._checkpoint.tree_size, path)
            != self._checkpoint.root_hash
        ):
            raise Tampered("the event is not in the checkpoint in this form")
        if line["leaf"] <= self._leaf:
            raise Tampered("it is out of order or repeated")
        self._leaf = line["leaf"]

    def _end(self) -> Finding | None:
        tree, checkpoint = self._tree, self._checkpoint
        if self._whole and (tree.size, tree.root()) != (checkpoint.tree_size, checkpoint.root_hash):
            what = (
                f"the {quantity(tree.size, 'event is', 'events are')} not the {checkpoint.tree_size} of the checkpoint"
            )
            return Finding(1, max(1, checkpoint.position), what)
        if self._declared_events is None:
            raise CannotVerify(f"it is truncated: it has {quantity(self.events, 'event')}, and no last line")
        if self._declared_events != self.events:
            declared = quantity(self._declared_events, "event")
            return self._finding(f"the last line counts {declared}, but the export has {self.events}")
        return None

    def _finding(self, what: str) -> Finding:
        return Finding(self._position + 1, max(self._position + 1, self._checkpoint.position), what)


def _parsed(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in zip(count(1), lines, strict=False):
        try:
            parsed = json.loads(line, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            raise CannotVerify(f"line {number} is no JSON object")
        yield parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise CannotVerify("a line has two members with the same name")
    return dict(pairs)


def _refuse_constant(constant: str) -> None:
    raise CannotVerify(f"a line contains {constant}")


def _require_members(
    line: Mapping[str, Any], required: AbstractSet[str], optional: AbstractSet[str], number: int
) -> None:
    if not required <= line.keys() <= required | optional:
        raise CannotVerify(f"line {number} has missing or unknown members")


def _require_integers(line: Mapping[str, Any], *names: str) -> None:
    if not all(type(line[name]) is int and 0 <= line[name] < 2**63 for name in names):
        raise CannotVerify(f"one of {', '.join(names)} is not an integer")


def _from_base64(text: str) -> bytes:
    decoded = base64.b64decode(text, validate=True)
    if base64.b64encode(decoded).decode() != text:
        raise CannotVerify("a base64 value is not canonical")
    return decoded


def _uuid(text: str) -> UUID:
    parsed = UUID(text)
    if str(parsed) != text:
        raise CannotVerify(f"{text} is not a UUID in canonical form")
    return parsed
