#!/usr/bin/env python3
"""Verify what subusers has signed: an export, an evidence pack, or that one checkpoint continues another.

    python3 verify_export.py EXPORT.jsonl --public-key KEY [--public-key KEY ...]
    python3 verify_export.py PACK.zip --public-key KEY
    python3 verify_export.py --consistency OLD NEW --proof PROOF.json --public-key KEY

Exits 0 if everything is as it was signed, 1 if it was tampered with, 2 if this cannot be determined, for example
because a file is missing or malformed, or signed by no trusted key.

It needs Python 3.9 or later and the library `cryptography`, but no code of the project that made the files. KEY is the
public key of the service, such as `subusers/9b1f2e7a-...+4e5f6071+AZ...`. Get it from the operator, not from the file.
No other key is trusted, except one that replaced it in a checkpoint signed by both.

An evidence pack is a ZIP file, or the folder into which it was unpacked. `SHA256SUMS` lists the digests of its files,
and `SHA256SUMS.note` is a signed note with the digest of that list. `history.jsonl` is an export.

PROOF.json is the response of `GET /v1/audit/consistency?first=...&second=...`.

The first line of an export is a header with the contents of the file and a checkpoint. A checkpoint is a text with the
number of events and the root of the Merkle tree over them, followed by Ed25519 signatures (c2sp.org/signed-note,
c2sp.org/tlog-checkpoint). Each event has a line. The last line has the number of events.

The hash of an event covers `position`, `stream_id`, `version`, `topic` and `state`. The hashes in its `path` lead from
it to the signed root (RFC 6962). If the header says `"proofs": "whole"`, all events together give that root. Then each
event is compared with the header (account, times, positions) and with the previous event of its stream (no version may
be missing), and `shown` is compared with `state`. `digest` detects accidents only: an attacker can recompute it. The
result also lists what is not proven.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import json
import re
import struct
import sys
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence  # noqa: TC003  # simpler than a conditional import
from datetime import datetime, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    print("could not tell: the library `cryptography` is missing: python3 -m pip install cryptography", file=sys.stderr)
    sys.exit(2)  # an uncaught exception would exit with 1, which means tampered


class Tampered(Exception):
    """The file differs from the signed data."""


class CannotVerify(Exception):
    """The file is malformed, or no trusted key has signed it."""


def quantity(count: int, noun: str, plural: str = "") -> str:
    """Return a count and its noun: `1 event`, `2 events`. `plural` is by default the noun with an s."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


# Hashing: RFC 6962, section 2.1.


def leaf_hash(line: dict[str, Any]) -> bytes:
    """Return the hash of an event: a zero byte and five fields, each preceded by its length in four bytes."""
    fields = [
        struct.pack(">q", line["position"]),
        stream_id(line["stream_id"]).bytes,
        struct.pack(">q", line["version"]),
        line["topic"].encode(),
        from_base64(line["state"]),
    ]
    data = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return hashlib.sha256(b"\x00" + data).digest()


def stream_id(text: str) -> uuid.UUID:
    """Parse an id, and reject other spellings than the canonical one."""
    parsed = uuid.UUID(text)
    if str(parsed) != text:
        raise CannotVerify(f"{text} is not a UUID in canonical form")
    return parsed


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node with these children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path gives, None if its length is wrong for the leaf (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node % 2 == 1 or node == last:
            root = node_hash(sibling, root)
            while node % 2 == 0 and node != 0:
                node, last = node // 2, last // 2
        else:
            root = node_hash(root, sibling)
        node, last = node // 2, last // 2
    return root if last == 0 else None


def roots_by_consistency(first: int, second: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Return the roots of both trees that a proof gives, None if its length is wrong (RFC 9162, section 2.1.4.2).

    The proof must begin with the root of the first tree if that has a power of two of leaves.
    """
    node, last = first - 1, second - 1
    while node % 2 == 1:
        node, last = node // 2, last // 2
    if not hashes:
        return None
    first_root = second_root = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return None
        if node % 2 == 1 or node == last:
            first_root, second_root = node_hash(sibling, first_root), node_hash(sibling, second_root)
            while node % 2 == 0 and node != 0:
                node, last = node // 2, last // 2
        else:
            second_root = node_hash(second_root, sibling)
        node, last = node // 2, last // 2
    return (first_root, second_root) if last == 0 else None


def continues(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> bool:
    """Return whether a consistency proof shows that the tree of one checkpoint begins with that of another."""
    if old.size == new.size:
        return not path and old.root == new.root
    if old.size == 0:
        return not path and old.root == Tree().root()
    is_power_of_two = old.size & (old.size - 1) == 0
    hashes = [old.root, *path] if is_power_of_two else path
    return old.size < new.size and roots_by_consistency(old.size, new.size, hashes) == (old.root, new.root)


class Tree:
    """Merkle tree of leaves in order. Keeps only the roots of complete subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.roots: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Append a leaf. Two subtrees of equal size become one, like the carry of a binary counter."""
        size, self.size = self.size, self.size + 1
        while size % 2 == 1:
            leaf = node_hash(self.roots.pop(), leaf)
            size //= 2
        self.roots.append(leaf)

    def root(self) -> bytes:
        """Return the root of the tree."""
        if not self.roots:
            return hashlib.sha256(b"").digest()
        root = self.roots[-1]
        for larger in self.roots[-2::-1]:
            root = node_hash(larger, root)
        return root


# The checkpoint: a signed note.


class Key(NamedTuple):
    """A public key and the name it signs under, which is the origin of its checkpoints."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that identify the key in a signature."""
        return hashlib.sha256(self.name.encode() + b"\n\x01" + self.public_key).digest()[:4]


class Loss(NamedTuple):
    """A loss of history that the operator accepted: of the events after `begun`, at least up to position `lost`."""

    begun: int
    lost: int
    accepted_at: datetime

    def __str__(self) -> str:
        return (
            f"events after position {self.begun} were lost, at least up to position {self.lost}, which the operator "
            f"accepted on {self.accepted_at:%Y-%m-%d at %H:%M:%S} UTC"
        )


class Checkpoint(NamedTuple):
    """Contents of a note: the tree of one store, losses of history, and both keys if it is a succession."""

    text: str
    origin: str
    size: int
    root: bytes
    position: int
    signed_at: datetime
    losses: tuple[Loss, ...]
    succession: tuple[Key, Key] | None


Signatures = list[tuple[str, bytes, bytes]]
"""Name, key id and signature."""


def parse_key(text: str) -> Key:
    """Parse a key in the form NAME+ID+KEY."""
    match = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", text.strip())
    encoded = base64.b64decode(match[3], validate=True) if match else b""
    if match is None or len(encoded) != 33 or encoded[0] != 1:  # 1 is Ed25519
        raise CannotVerify(f"not a public key: {text}")
    key = Key(match[1], encoded[1:])
    if key.key_id.hex() != match[2]:
        raise CannotVerify(f"a public key with a wrong id: {text}")
    return key


def parse_note(note: Any) -> tuple[str, Signatures]:
    """Parse a signed note into its text and its signatures. Does not verify the signatures."""
    text, separator, signature_lines = str(note).rpartition("\n\n")
    if not separator or not signature_lines.endswith("\n"):
        raise CannotVerify("a signed note is malformed")
    text += "\n"  # the signed text includes the last newline
    signatures: Signatures = []
    for line in signature_lines[:-1].split("\n"):
        match = re.fullmatch(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)", line)
        decoded = base64.b64decode(match[2], validate=True) if match else b""
        if match is None or len(decoded) <= 4:
            raise CannotVerify("a signed note is malformed")
        signatures.append((match[1], decoded[:4], decoded[4:]))
    return text, signatures


def parse_checkpoint(note: Any) -> tuple[Checkpoint, Signatures]:
    """Parse a signed note into its checkpoint and its signatures. Does not verify the signatures."""
    text, signatures = parse_note(note)
    origin, size, root, *extension_lines = text[:-1].split("\n")
    extensions = dict(line.split(" ", 1) for line in extension_lines if " " in line)
    succession = None
    if "successor" in extensions:
        succession = (parse_key(extensions["predecessor"]), parse_key(extensions["successor"]))
    position, signed_at = whole_number(extensions["position"]), instant(extensions["time"])
    losses = tuple(parse_loss(line) for line in extension_lines if line.startswith("lost "))
    root_hash = base64.b64decode(root, validate=True)
    return Checkpoint(text, origin, whole_number(size), root_hash, position, signed_at, losses, succession), signatures


def parse_loss(line: str) -> Loss:
    """Parse the line of a checkpoint about a loss of history."""
    _, begun, lost, accepted_at = line.split(" ")
    return Loss(whole_number(begun), whole_number(lost), instant(accepted_at))


LOSS_MARGIN = 1000
"""Positions before the beginning of a loss that can be lost as well: commits are not in the order of positions."""


def loss_since(old: Checkpoint, new: Checkpoint) -> Loss | None:
    """Return the loss, if any, that explains why a checkpoint does not continue an older one.

    It is one that the newer checkpoint names and the older one does not: the older one includes lost events, and was
    signed before the loss was accepted.
    """
    for loss in new.losses:
        if loss not in old.losses and old.position > loss.begun - LOSS_MARGIN and old.signed_at <= loss.accepted_at:
            return loss
    return None


def whole_number(text: str) -> int:
    """Parse a number of a note, and reject other spellings than the canonical one."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", text):
        raise CannotVerify(f"{text} is not a number in canonical form")
    return int(text)


def signers(text: str, origin: str, signatures: Signatures, keys: Iterable[Key]) -> set[Key]:
    """Return which of these keys signed a text of the store `origin`. A key only counts for the store in its name."""
    signed = set()
    for name, key_id, signature in signatures:
        for key in keys:
            if name == key.name == origin and key_id == key.key_id:
                try:
                    Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, text.encode())
                except InvalidSignature:
                    raise CannotVerify("a signed note was changed after it was signed") from None
                signed.add(key)
    return signed


class Succession(NamedTuple):
    """Replacement of a key by another at a tree size. A lost former key has not signed it."""

    size: int
    former: Key
    successor: Key
    by_both: bool


def read_succession(note: str) -> Succession | None:
    """Return the succession in a checkpoint; None if its successor has not signed it."""
    checkpoint, signatures = parse_checkpoint(note)
    if checkpoint.succession is None:
        raise CannotVerify("a checkpoint passed as a succession has no successor")
    former, successor = checkpoint.succession
    signed = signers(checkpoint.text, checkpoint.origin, signatures, checkpoint.succession)
    if successor not in signed or former.name != successor.name:
        return None
    return Succession(checkpoint.size, former, successor, former in signed)


def trust(trusted_keys: Sequence[Key], successions: Sequence[str]) -> dict[Key, int | None]:
    """Return the trusted keys, each with the largest tree size for which it is trusted; None if it has no successor.

    If both keys signed a succession, trust in the former key extends to its successor. Once the successor is trusted,
    the former key is not trusted for larger trees.
    """
    limit_by_key: dict[Key, int | None] = dict.fromkeys(trusted_keys)
    links = sorted({link for link in map(read_succession, successions) if link is not None})
    while True:
        before = dict(limit_by_key)
        for link in links:
            apply_succession(link, links, limit_by_key)
        if limit_by_key == before:
            break
    for name in {key.name for key in limit_by_key}:
        if sum(key.name == name and limit is None for key, limit in limit_by_key.items()) > 1:
            raise CannotVerify(f"several keys of {name} are trusted, and no succession limits each of them")
    return limit_by_key


def apply_succession(link: Succession, links: Sequence[Succession], limit_by_key: dict[Key, int | None]) -> None:
    """Trust the successor, and limit the trust in the former key, if that was trusted for the succession itself."""
    limit = limit_by_key.get(link.former)
    if link.former not in limit_by_key or (limit is not None and link.size > limit):
        return
    if link.by_both and link.successor not in limit_by_key:
        rivals = {other.successor for other in links if other.by_both and other.former == link.former}
        rivals.discard(link.successor)
        if rivals & limit_by_key.keys():
            return
        if rivals:
            raise CannotVerify("two keys claim to replace the same key: pass the one to trust as --public-key")
        limit_by_key[link.successor] = None
    if link.successor in limit_by_key:
        limit_by_key[link.former] = link.size


def read_checkpoint(note: Any, trusted_keys: Sequence[Key], successions: Sequence[str]) -> Checkpoint:
    """Parse a checkpoint and require a signature by a key that is trusted for its size."""
    checkpoint, signatures = parse_checkpoint(note)
    limit_by_key = trust(trusted_keys, successions)
    signed = signers(checkpoint.text, checkpoint.origin, signatures, limit_by_key)
    require_trusted(signed, limit_by_key, checkpoint.size)
    return checkpoint


def require_trusted(signed: set[Key], limit_by_key: dict[Key, int | None], size: int) -> None:
    """Raise `CannotVerify` unless one of the keys that signed is trusted for a tree of this size."""
    if not signed:
        raise CannotVerify("no trusted key has signed the checkpoint")
    if not any(limit is None or size <= limit for limit in map(limit_by_key.__getitem__, signed)):
        raise CannotVerify("the key that signed the checkpoint had been replaced by another before")


# The file.

HEADER = {"subusers_export", "proofs", "checkpoint", "keys", "successions"}
CLAIMS = {"account_id", "since", "until", "after", "cursor"}
EVENT = {"position", "stream_id", "version", "topic", "state"}
PROOF = {"leaf", "path"}
END = {"end", "events"}

SEPARATE = {
    *("SubUserActivityRecorded", "UsageRecorded", "AuditLogRead", "AuditLogExported"),
    *("WebhookCreated", "WebhookDisabled", "WebhookEnabled", "WebhookDeleted"),
    *("WebhookSecretRotated", "WebhookReplayed", "WebhookAdopted"),
    *("ApiKeyCreated", "ApiKeyLimitsChanged", "ApiKeyFirstUsed", "ApiKeyRevoked", "PermissionCatalogueSet"),
    "ActivityTypesSet",
}
"""Topics of events outside the streams of accounts. Those of an account have its id in `account_id`."""

REPORTED = {"SubUserActivityRecorded", "UsageRecorded"}
"""Topics of events that the portal reports. They have their own `occurred_at`, and their actor is the sub-user."""

ACTIONS = {
    "MainAccountRegistered": "main_account.registered",
    "MainAccountDetailsChanged": "main_account.details_changed",
    "MainAccountExternalIdSet": "main_account.external_id_set",
    "MainAccountClosed": "main_account.closed",
    "MainAccountLoggedIn": "main_account.logged_in",
    "MainAccountLoginRefused": "main_account.login_refused",
    "MainAccountLoggedOut": "main_account.logged_out",
    "SubUserLimitRaised": "main_account.sub_user_limit_raised",
    "MainAccountPlanSet": "main_account.plan_set",
    "UsageThresholdReached": "main_account.usage_threshold_reached",
    "SubUserCreated": "sub_user.created",
    "SubUserDetailsChanged": "sub_user.details_changed",
    "SubUserEmailChanged": "sub_user.email_changed",
    "SubUserVisibilityChanged": "sub_user.visibility_changed",
    "SubUserAccessExpirySet": "sub_user.access_expiry_set",
    "SubUserActivated": "sub_user.activated",
    "SubUserDeactivated": "sub_user.deactivated",
    "SubUserPasswordReset": "sub_user.password_reset",
    "SubUserPasswordChanged": "sub_user.password_changed",
    "SubUserLoggedIn": "sub_user.logged_in",
    "SubUserLoginRefused": "sub_user.login_refused",
    "SubUserLockedOut": "sub_user.locked_out",
    "SubUserUnlocked": "sub_user.unlocked",
    "SubUserLoggedOut": "sub_user.logged_out",
    "SubUserDeleted": "sub_user.deleted",
    "CredentialsMailed": "sub_user.credentials_mailed",
    "CredentialsMailFailed": "sub_user.credentials_mail_failed",
    "PersonalDataErased": "sub_user.personal_data_erased",
    "RoleCreated": "main_account.role_created",
    "RoleChanged": "main_account.role_changed",
    "RoleDeleted": "main_account.role_deleted",
    "RoleGranted": "sub_user.role_granted",
    "RoleRevoked": "sub_user.role_revoked",
    "PasswordResetPolicySet": "main_account.password_reset_policy_set",
    "PasswordResetRequested": "person.password_reset_requested",
    "PasswordResetForwarded": "person.password_reset_forwarded",
    "LinkUsed": "person.link_used",
    "NoticeMailed": "person.notice_mailed",
    "NoticeMailFailed": "person.notice_mail_failed",
    "SecondFactorAdded": "person.second_factor_added",
    "SecondFactorRemoved": "person.second_factor_removed",
    "SecondFactorsReset": "person.second_factors_reset",
    "RecoveryCodesIssued": "person.recovery_codes_issued",
    "SecondFactorVerified": "person.second_factor_verified",
    "SecondFactorRefused": "person.second_factor_refused",
    "SecondFactorPolicySet": "main_account.second_factor_policy_set",
    "MainAccountEmailChangeRequested": "main_account.email_change_requested",
    "MainAccountFormerEmailKept": "main_account.former_email_kept",
    "MainAccountEmailChangeUndone": "main_account.email_change_undone",
    "SignInEmailAnnounced": "sub_user.sign_in_email_announced",
    "NewDeviceSignedIn": "person.new_device_signed_in",
    "UsageRecorded": "sub_user.usage_recorded",
    "WebhookCreated": "webhook.created",
    "WebhookDisabled": "webhook.disabled",
    "WebhookEnabled": "webhook.enabled",
    "WebhookDeleted": "webhook.deleted",
    "WebhookSecretRotated": "webhook.secret_rotated",
    "WebhookReplayed": "webhook.replayed",
    "WebhookAdopted": "webhook.adopted",
    "ApiKeyCreated": "api_key.created",
    "ApiKeyLimitsChanged": "api_key.limits_changed",
    "ApiKeyFirstUsed": "api_key.first_used",
    "ApiKeyRevoked": "api_key.revoked",
    "PermissionCatalogueSet": "permission_catalogue.set",
    "ActivityTypesSet": "activity_types.set",
    "AuditLogRead": "audit_log.read",
    "AuditLogExported": "audit_log.exported",
}
"""Action in `shown` for each topic. The state of an activity has the portal's own action."""

ENCRYPTED = {
    *("email", "company_name", "external_id", "name", "surname", "reply"),
    *("ip", "user_agent", "reason", "actor_person", "target", "details"),
    *("description", "resource_label"),
}
"""Fields of a state that only the service can decrypt. Their values in `shown` are not proven."""

NON_DETAIL_FIELDS = {
    *("originator_id", "originator_version", "originator_topic", "timestamp", "sub_user_id", "account_id"),
    *("email_hash", "actor_type", "actor_id", "actor_api_key_id", "actor_person", "request_id", "ip", "user_agent"),
    *("reason", "action", "target", "occurred_at"),
}
"""Fields of a state that are not in `details` of `shown`."""


def parse_line(line: bytes, number: int) -> dict[str, Any]:
    """Parse a line into an object. Raises `CannotVerify` for duplicate members and non-JSON numbers."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise CannotVerify(f"line {number} has a duplicate member")
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise CannotVerify(f"line {number} contains {constant}")

    try:
        parsed = json.loads(line, object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise CannotVerify(f"line {number} is not a JSON object")
    return parsed


def digest_of(line: dict[str, Any]) -> str:
    """Return the SHA-256 of a line without its `digest`: members sorted, no spaces, ASCII."""
    rest = {name: value for name, value in line.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def require_members(line: dict[str, Any], required: set[str], optional: set[str], number: int) -> None:
    """Raise `CannotVerify` unless a line has its required members and no unknown ones."""
    if not required <= line.keys() <= required | optional:
        raise CannotVerify(f"line {number} lacks required members or has unknown ones")


def require_integers(line: dict[str, Any], *names: str) -> None:
    """Raise `CannotVerify` unless these members are integers. JSON `true` and `1.0` are not."""
    if not all(type(line[name]) is int and 0 <= line[name] < 2**63 for name in names):
        raise CannotVerify(f"one of {', '.join(names)} is not an integer")


def from_base64(text: str) -> bytes:
    """Decode base64, and reject non-canonical encodings."""
    decoded = base64.b64decode(text, validate=True)
    if base64.b64encode(decoded).decode() != text:
        raise CannotVerify("the base64 is not canonical")
    return decoded


def instant(text: str) -> datetime:
    """Parse an RFC 3339 time with an offset."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))  # noqa: FURB162  # Python before 3.11 does not accept Z
    if moment.tzinfo is None:
        raise CannotVerify(f"{text} has no offset")
    return moment


def same(shown: Any, stored: Any) -> bool:
    """Return whether two values are equal. Times are stored with `+00:00` and shown with `Z`."""
    if type(shown) is type(stored) and shown == stored:
        return True
    try:
        utc = instant(stored).astimezone(timezone.utc)  # noqa: UP017  # Python before 3.11 has no datetime.UTC
        return bool(shown == utc.isoformat().replace("+00:00", "Z"))
    except (ValueError, AttributeError, TypeError, OverflowError, CannotVerify):
        return False


class Claims:
    """What the header claims about the events, checked event by event."""

    def __init__(self, header: dict[str, Any], checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.account: str | None = header.get("account_id")
        self.since = instant(header["since"]) if header.get("since") is not None else None
        self.until = instant(header["until"]) if header.get("until") is not None else None
        self.after = header.get("after") or 0
        if type(self.after) is not int or self.after < 0:
            raise CannotVerify("`after` in the header is not a position")
        if self.account is not None and str(uuid.UUID(self.account)) != self.account:
            raise CannotVerify("`account_id` in the header is not a UUID")
        self.whole = header["proofs"] == "whole"
        self.from_start = self.since is None and self.after == 0
        if self.whole and not (self.account is None and self.from_start and self.until is None):
            raise CannotVerify("the header says `whole` but names a part")
        for key in map(parse_key, header["keys"]):
            if key.name != checkpoint.origin:
                raise CannotVerify("the header has a key of another store")
        self.last_version_by_stream: dict[str, int] = {}
        self.first_version = self.last_version = -1
        self.last_position = self.after

    def check(self, line: dict[str, Any], state: dict[str, Any]) -> None:
        """Raise `Tampered` unless a proven event matches the header and follows the previous one of its stream."""
        position, stream, version = line["position"], line["stream_id"], line["version"]
        separate = line["topic"] in SEPARATE or "account_id" in state
        account = state.get("account_id") if separate else stream
        recorded_at = instant(state["timestamp"])
        if self.account not in {None, account}:
            raise Tampered(f"position {position}: the event belongs to another account than the header")
        if (self.since is not None and recorded_at < self.since) or (
            self.until is not None and recorded_at >= self.until
        ):
            raise Tampered(f"position {position}: the event was recorded outside the times in the header")
        if position > self.checkpoint.position:
            raise Tampered(f"position {position}: the event is beyond the end of the checkpoint")
        self.check_version(stream, version, position, filtered=separate and (self.since or self.until) is not None)
        if stream == self.account:
            self.first_version = version if self.first_version < 0 else self.first_version
            self.last_version = version
        if "shown" in line:
            check_shown(line, state, account)

    def check_version(self, stream: str, version: int, position: int, *, filtered: bool) -> None:
        """Raise `Tampered` if an event is repeated, or one is missing between it and the previous one of its stream.

        The first event of a stream must have version 1 if the file starts at the beginning of the history. Times may
        decrease within a separate stream, so a filter by time may leave out an event in the middle.
        """
        previous = self.last_version_by_stream.get(stream)
        expected = previous + 1 if previous is not None else 1
        may_skip = filtered or (previous is None and not self.from_start)
        if version < expected or (version > expected and not may_skip):
            raise Tampered(
                f"position {position}: version {version} of stream {stream} follows "
                f"{'nothing' if previous is None else f'version {previous}'}: an event is missing or repeated"
            )
        self.last_version_by_stream[stream] = version

    def verdict(self, count: int) -> str:
        """Return the proven and unproven properties of a valid file."""
        scope = f"account {self.account}" if self.account else "all accounts"
        verb = "is as it was" if count == 1 else "are as they were"
        events = f"{quantity(count, 'event')} of {scope}, of the store {self.checkpoint.origin}"
        lines = [f"right: {events}, {verb} signed"]
        bounds = [
            f"recorded from {self.since.isoformat()} on" if self.since else "",
            f"recorded before {self.until.isoformat()}" if self.until else "",
            f"after position {self.after}" if self.after else "",
        ]
        lines += [f"The header asks for those {text}." for text in bounds if text]
        lines += [f"The checkpoint says that {loss}." for loss in self.checkpoint.losses]
        lines += ["Proven: nothing is missing up to the checkpoint."] if self.whole else self.completeness()
        lines.append(
            "Not proven: the sentence `in_words`, and values in `shown` that the signed event has only encrypted, or "
            "not at all: names, e-mails, addresses, user agents, reasons, targets, details of activities, replies of "
            "mail servers."
        )
        return "\n".join(lines)

    def completeness(self) -> list[str]:
        """Return statements about the completeness of a part of the history."""
        lines = []
        others = "activity, usage report, access to the log, webhook event"
        if self.account is None:
            others += ", API-key event"
            proven = "before the last one" if self.from_start else "between the first and the last one"
            unproven = "after the last one" if self.from_start else "before the first one, or after the last one,"
            lines.append(f"Proven: in each account's own stream, no event is missing {proven} in this export.")
            lines.append(f"Not proven: that no event is missing {unproven} of an account's own stream.")
        elif self.first_version > 0:
            first, last = self.first_version, self.last_version
            lines.append(f"Proven: versions {first} to {last} of the account's own stream, without a gap.")
            lines.append(f"Not proven: that there is no version after {last}; ask the service for the latest.")
        else:
            lines.append("Not proven: that the account has no events of its own in this range.")
        if self.first_version > 1:
            lines.append(f"Not proven: that no version before {self.first_version} belongs to the range.")
        lines.append(f"Not proven: that no {others} or whole stream is missing.")
        lines.append(
            "A complete export (of all accounts, without a range of times or positions) proves that nothing is missing "
            "up to its checkpoint."
        )
        return lines


def check_shown(line: dict[str, Any], state: dict[str, Any], account: str | None) -> None:
    """Raise `Tampered` if `shown` contradicts the signed state."""
    shown, topic, position = line["shown"], line["topic"], line["position"]
    is_reported = topic in REPORTED
    expected: dict[str, Any] = {
        "position": position,
        "recorded_at": state["timestamp"],
        "occurred_at": state["occurred_at"] if is_reported else state["timestamp"],
        "account_id": account,
        "sub_user_id": state.get("sub_user_id"),
        "action": state.get("action") if topic == "SubUserActivityRecorded" else ACTIONS.get(topic),
    }
    if expected["action"] is None:
        del expected["action"]  # a topic of a newer release
    for name, stored in expected.items():
        if name in shown and not same(shown[name], stored):
            raise Tampered(f"position {position}: `{name}` in `shown` differs from the signed value")
    check_actor(shown.get("actor", {}), state, position, is_reported=is_reported)
    for name in ("target", "ip", "user_agent", "reason"):
        if shown.get(name) is not None and name not in state:
            raise Tampered(f"position {position}: `{name}` in `shown` is not in the signed event")
    if topic != "SubUserActivityRecorded" and "details" in shown:
        check_details(shown["details"], state, position)


def check_actor(actor: dict[str, Any], state: dict[str, Any], position: int, *, is_reported: bool) -> None:
    """Raise `Tampered` unless the actor is that of the state. Reports are about the sub-user who acted."""
    expected = {"type": state.get("actor_type"), "id": state.get("actor_id")}
    if is_reported:
        expected = {"type": "sub_user", "id": state["sub_user_id"]}
    expected["api_key_id"] = state.get("actor_api_key_id")
    for name, stored in expected.items():
        if name in actor and actor[name] != (stored or None):
            raise Tampered(f"position {position}: the actor in `shown` differs from the signed one")
    if actor.get("person") is not None and "actor_person" not in state:
        raise Tampered(f"position {position}: the person in `shown` is not in the signed event")


def check_details(details: dict[str, Any], state: dict[str, Any], position: int) -> None:
    """Raise `Tampered` unless the details equal the plaintext ones of the state."""
    stored = {name: value for name, value in state.items() if name not in NON_DETAIL_FIELDS}
    plain = stored.keys() - ENCRYPTED
    if details.keys() != stored.keys() or not all(same(details[name], stored[name]) for name in plain):
        raise Tampered(f"position {position}: the details in `shown` differ from the signed ones")


def check_header(header: dict[str, Any]) -> bool:
    """Check the header, and return whether lines have digests (from version 2)."""
    version = header.get("subusers_export")
    if type(version) is not int or version not in {1, 2} or header.get("proofs") not in {"each", "whole"}:
        raise CannotVerify("the file is not an export with proofs, or its version is unknown")
    if version == 1:
        require_members(header, HEADER - {"successions"}, CLAIMS, 1)
        return False
    require_members(header, HEADER | CLAIMS | {"digest"}, set(), 1)
    if header["digest"] != digest_of(header):
        raise Tampered("the header was changed")
    return True


class ExportVerifier:
    """Checks the lines after the header, one by one."""

    def __init__(self, claims: Claims, *, digests: bool) -> None:
        self.claims = claims
        self.digest_member = {"digest"} if digests else set()
        self.tree = Tree()
        self.count = 0
        self.last_leaf = -1
        self.claimed_count: int | None = None

    def check_line(self, line: dict[str, Any], number: int) -> None:
        """Check the next line."""
        if self.claimed_count is not None:
            raise CannotVerify("there are lines after the end")
        if self.digest_member and line.get("digest") != digest_of(line):
            raise Tampered(f"line {number} was changed")
        if "end" in line:
            require_members(line, END | self.digest_member, set(), number)
            require_integers(line, "events")
            self.claimed_count = line["events"]
            return
        proof = set() if self.claims.whole else PROOF
        require_members(line, EVENT | proof | self.digest_member, {"shown"}, number)
        require_integers(line, "position", "version", *(["leaf"] if proof else []))
        if line["position"] <= self.claims.last_position:
            raise Tampered(f"position {line['position']} is out of order, repeated, or before the requested start")
        self.claims.last_position = line["position"]
        self.count += 1
        self.check_inclusion(line, leaf_hash(line))
        self.claims.check(line, json.loads(from_base64(line["state"])))

    def check_inclusion(self, line: dict[str, Any], leaf: bytes) -> None:
        """Raise `Tampered` unless an event is in the signed tree. For `whole`, `finish` checks this."""
        if self.claims.whole:
            self.tree.append(leaf)
            return
        checkpoint, path = self.claims.checkpoint, [from_base64(node) for node in line["path"]]
        if root_by_path(leaf, line["leaf"], checkpoint.size, path) != checkpoint.root:
            raise Tampered(f"position {line['position']}: the event differs from the signed one")
        if line["leaf"] <= self.last_leaf:
            raise Tampered(f"position {line['position']}: the event is out of order")
        self.last_leaf = line["leaf"]

    def finish(self) -> None:
        """Check that the file is complete."""
        size, root = self.claims.checkpoint.size, self.claims.checkpoint.root
        if self.claims.whole and (self.tree.size, self.tree.root()) != (size, root):
            raise Tampered(f"the {quantity(self.tree.size, 'event is', 'events are')} not the {size} signed")
        if self.claimed_count is None:
            raise CannotVerify("the file is incomplete: the last line with the number of events is missing")
        if self.claimed_count != self.count:
            claimed = quantity(self.claimed_count, "event")
            raise Tampered(f"the last line counts {claimed}, but the file has {self.count}")


def check(lines: Iterator[bytes], keys: Sequence[Key], successions: Sequence[str] = ()) -> str:
    """Check an export line by line, and return the verdict."""
    claims, count = check_export(lines, keys, successions, lambda _: None)
    return f"{claims.verdict(count)}\nThe checkpoint:\n\n{claims.checkpoint.text}"


def check_export(
    lines: Iterator[bytes], keys: Sequence[Key], successions: Sequence[str], use: Callable[[dict[str, Any]], None]
) -> tuple[Claims, int]:
    """Check an export line by line, passing each checked event on; return its claims and the number of events."""
    header = parse_line(next(lines, b""), 1)
    digests = check_header(header)
    checkpoint = read_checkpoint(header["checkpoint"], keys, [*header.get("successions", ()), *successions])
    verifier = ExportVerifier(Claims(header, checkpoint), digests=digests)
    for number, text in enumerate(lines, 2):
        line = parse_line(text, number)
        verifier.check_line(line, number)
        if "end" not in line:
            use(line)
    verifier.finish()
    return verifier.claims, verifier.count


def check_consistency(
    old_note: str, new_note: str, proof: dict[str, Any] | None, keys: Sequence[Key], successions: Sequence[str]
) -> str:
    """Check that one checkpoint continues another, and return the verdict."""
    old, new = (read_checkpoint(note, keys, successions) for note in (old_note, new_note))
    require_continuation(old, new, proof)
    return (
        f"right: the {quantity(new.size, 'event of NEW begins', 'events of NEW begin')} with the {old.size} of OLD, "
        f"of the store {new.origin}\n"
        "Not proven: anything about events after NEW."
    )


def require_continuation(old: Checkpoint, new: Checkpoint, proof: dict[str, Any] | None) -> None:
    """Raise `Tampered` unless a proof shows that a checkpoint continues another.

    Raises `CannotVerify` if it cannot be decided, also if the newer checkpoint says that history was lost.
    """
    if old.origin != new.origin:
        raise CannotVerify("the checkpoints are of different stores")
    loss = loss_since(old, new)
    explanation = f"NEW does not continue OLD. NEW says that {loss}. Ask the operator what happened" if loss else ""
    if old.size > new.size:
        raise CannotVerify(explanation or "OLD has more events than NEW")
    if proof is None:
        raise CannotVerify("give --proof with the consistency proof")
    if not {"first", "second", "path"} <= proof.keys():
        raise CannotVerify("the file is not a consistency proof, as `GET /v1/audit/consistency` answers it")
    require_integers(proof, "first", "second")
    if (proof["first"], proof["second"]) != (old.size, new.size):
        raise CannotVerify(f"the proof is not from {old.size} to {quantity(new.size, 'event')}")
    if not continues(old, new, [from_base64(node) for node in proof["path"]]):
        if explanation:
            raise CannotVerify(explanation)
        events = quantity(new.size, "event does", "events do")
        raise Tampered(f"by this proof, the {events} not begin with the {old.size} signed before")


# The evidence pack.

MANIFEST, SIGNED_MANIFEST = "SHA256SUMS", "SHA256SUMS.note"
HISTORY, AUDIT_LOG, REPORT = "history.jsonl", "audit-log.csv", "report.html"
KEYS, CONSISTENCY = "keys.txt", "consistency.json"
CHECKPOINT_FOLDER, SUCCESSION_FOLDER = "checkpoints/", "successions/"

PROVEN_BY_SIGNATURE = (
    "Not proven by the checkpoint, only by the signature of the service's key over the files: the sentences, the names "
    "and other encrypted values, the counts, and who had access. Nobody without the key has changed them.\n"
    "Not proven: that the verify_export.py in the pack is genuine. Use a copy that you got another way."
)

UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u206a-\u206f\ufff9-\ufffb\ud800-\udfff]"
)
"""Characters that files for readers show as escapes, such as `\\u202e`."""


class Pack:
    """The files of an evidence pack, in a ZIP file or in a folder."""

    def __init__(self, path: Path) -> None:
        self._archive = None if path.is_dir() else zipfile.ZipFile(path)
        self._folder = path
        if self._archive is None:
            files = [file for file in path.rglob("*") if not file.is_dir() or file.is_symlink()]
            self.names = sorted(file.relative_to(path).as_posix() for file in files)
        else:
            self.names = sorted(self._archive.namelist())
            if len(set(self.names)) != len(self.names):  # programs differ in which of the two they show
                raise Tampered("two files in the pack have the same name")
            with path.open("rb") as file:
                require_only_files(file, self._archive)

    def require_time(self, signed_at: datetime) -> None:
        """Raise `Tampered` unless the files of an archive have the time of the checkpoint, to two seconds."""
        if self._archive is not None:
            time = signed_at.replace(second=signed_at.second // 2 * 2).timetuple()[:6]
            if any(entry.date_time != time for entry in self._archive.infolist()):
                raise Tampered("the files in the pack have another time than its checkpoint")

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        if self._archive is None:
            return (self._folder / name).open("rb")
        return self._archive.open(name)  # type: ignore[return-value]  # typeshed has IO[bytes]

    def read(self, name: str) -> bytes:
        """Return the contents of a file. Raises `CannotVerify` if there is none."""
        if name not in self.names:
            raise CannotVerify(f"the pack has no {name}")
        with self.open(name) as file:
            return file.read()

    def text(self, name: str) -> str:
        """Return the text of a file, with its line ends as they are."""
        return self.read(name).decode()

    def below(self, folder: str) -> list[str]:
        """Return the names of the files in a folder."""
        return [name for name in self.names if name.startswith(folder)]


LOCAL_HEADER, CENTRAL_HEADER, ARCHIVE_END = "<4s5H3L2H", "<4s6H3L5H2L", "<4s4H2LH"
ARCHIVE_END_64, LOCATOR_64 = "<4sQ2H2L4Q", "<4sLQL"
"""Layouts of the records of a ZIP file (APPNOTE.TXT, 4.3). Only large files have those of the second line."""

REGULAR_FILE = 0o100644 << 16
"""Type and permissions of the files in a pack."""

LARGE, SIZES_OF_LARGE, UNKNOWN_SIZE = 2**31 / 1.05, 1, 0xFFFFFFFF
"""Bytes from which a file or an offset is large, the kind of the field with its sizes, and what is in their place."""


def require_only_files(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Raise `Tampered` for bytes of a ZIP file that belong to none of its files. No signature covers them."""
    entries = archive.infolist()
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset != file.tell():
            raise Tampered(f"the pack has hidden bytes before {entry.filename}")
        require_entry(entry)
        require_beginning(file, entry)
        require_compressed(file, entry)
    if file.tell() != archive.start_dir:
        raise Tampered("the pack has hidden bytes after its files")
    for entry in entries:
        fields = read_fields(file, CENTRAL_HEADER, b"PK\1\2")
        name_length, extra_length, comment_length = fields[10:13]
        file.seek(name_length, io.SEEK_CUR)
        require_extra(file.read(extra_length), entry)
        if comment_length:
            raise Tampered(f"{entry.filename} has a comment")
    require_end(file, archive)


def require_entry(entry: zipfile.ZipInfo) -> None:
    """Raise `Tampered` unless the properties of a file are those with which the service writes it."""
    properties = (entry.create_system, entry.flag_bits, entry.volume, entry.internal_attr, entry.external_attr)
    is_deflated = entry.compress_type == zipfile.ZIP_DEFLATED
    if not is_deflated or properties != (3, 0, 0, 0, REGULAR_FILE):
        raise Tampered(f"{entry.filename} has other properties than the files of a pack")
    if entry.orig_filename != entry.filename:
        raise Tampered(f"{entry.filename} has another name")


def require_beginning(file: BinaryIO, entry: zipfile.ZipInfo) -> None:
    """Read what precedes the data of a file. Raises `Tampered` unless it is as in the directory of the archive."""
    fields = read_fields(file, LOCAL_HEADER, b"PK\3\4")
    year, month, day, hour, minute, second = entry.date_time
    time, date = hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day
    name = file.read(fields[9])
    if fields[2:7] != (0, entry.compress_type, time, date, entry.CRC) or name != entry.filename.encode():
        raise Tampered(f"{entry.filename} has other properties at its beginning")
    sizes = {fields[7:9]} - {(entry.compress_size, entry.file_size), (UNKNOWN_SIZE, UNKNOWN_SIZE)}
    if sizes or (UNKNOWN_SIZE in fields[7:9] and not is_large(entry)):
        raise Tampered(f"{entry.filename} has another size at its beginning")
    require_extra(file.read(fields[10]), entry)


def is_large(entry: zipfile.ZipInfo) -> bool:
    """Return whether sizes or the offset of a file need 64 bits, as Python's library decides it."""
    return max(entry.file_size, entry.compress_size, entry.header_offset) >= LARGE


def require_extra(extra: bytes, entry: zipfile.ZipInfo) -> None:
    """Raise `Tampered` for an extra field, except that with the sizes and the offset of a large file."""
    if extra and (
        not is_large(entry) or struct.unpack("<2H", extra[:4]) != (SIZES_OF_LARGE, len(extra) - 4) or len(extra) > 28
    ):
        raise Tampered(f"{entry.filename} has an extra field")


def require_compressed(file: BinaryIO, entry: zipfile.ZipInfo) -> None:
    """Read the data of a file. Raises `Tampered` if something follows the end of the compressed data."""
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    for begin in range(0, entry.compress_size, 1 << 20):
        size += len(inflater.decompress(file.read(min(1 << 20, entry.compress_size - begin))))
    if size != entry.file_size or not inflater.eof or inflater.unused_data:
        raise Tampered(f"{entry.filename} has hidden bytes behind its data")


def require_end(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Raise `Tampered` unless the file ends with the end of the archive, without a comment."""
    count, begin, end = len(archive.infolist()), archive.start_dir, file.tell()
    has_64_bits = begin >= LARGE and file.read(4) == b"PK\6\6"
    file.seek(end)
    if has_64_bits:
        fields_64 = read_fields(file, ARCHIVE_END_64, b"PK\6\6")
        locator = read_fields(file, LOCATOR_64, b"PK\6\7")
        if (fields_64[1], fields_64[4:], locator[1:]) != (44, (0, 0, count, count, end - begin, begin), (0, end, 1)):
            raise Tampered("the end of the pack was changed")
    fields = read_fields(file, ARCHIVE_END, b"PK\5\6")
    if file.read(1) or fields[1:] != (0, 0, count, count, end - begin, min(begin, UNKNOWN_SIZE), 0):
        raise Tampered("the pack has hidden bytes at its end, or a comment")


def read_fields(file: BinaryIO, layout: str, signature: bytes) -> tuple[Any, ...]:
    """Read a record of a ZIP file."""
    fields = struct.unpack(layout, file.read(struct.calcsize(layout)))
    if fields[0] != signature:
        raise Tampered("the pack has hidden bytes")
    return fields


def check_pack(path: Path, keys: Sequence[Key], successions: Sequence[str]) -> str:
    """Check an evidence pack, and return the verdict."""
    pack = Pack(path)
    with io.TextIOWrapper(io.BytesIO(pack.read(HISTORY)), newline="") as history:
        header = parse_line(history.readline().encode(), 1)
    all_successions = [*header.get("successions", ()), *successions]
    size = check_signed_manifest(pack, keys, all_successions)
    check_files(pack)
    events: list[dict[str, Any]] = []  # `shown` of each
    with pack.open(HISTORY) as lines:
        claims, count = check_export(iter(lines), keys, successions, lambda line: events.append(line["shown"]))
    if claims.checkpoint.size != size:
        raise Tampered(f"{SIGNED_MANIFEST} is of another checkpoint than {HISTORY}")
    pack.require_time(claims.checkpoint.signed_at)
    check_audit_log(pack, events)
    check_report(pack, events)
    checkpoint_count = check_checkpoints(pack, header, claims, keys, all_successions)
    return "\n".join(
        [
            claims.verdict(count),
            f"right: all files of the pack ({len(pack.names)}) are as the service signed them",
            f"right: {AUDIT_LOG} and the events of {REPORT} show what {HISTORY} shows",
            f"right: {quantity(checkpoint_count, 'checkpoint')}"
            + (", each of which continues the one before it" if checkpoint_count > 1 else ""),
            PROVEN_BY_SIGNATURE,
            f"The checkpoint:\n\n{claims.checkpoint.text}",
        ]
    )


def check_signed_manifest(pack: Pack, keys: Sequence[Key], successions: Sequence[str]) -> int:
    """Require that a trusted key has signed the list of digests, and return the tree size that the signature names."""
    text, signatures = parse_note(pack.text(SIGNED_MANIFEST))
    match = re.fullmatch(r"(\S+) evidence\ntree_size ([0-9]{1,19})\nsha256 ([0-9a-f]{64})\n", text)
    if match is None:
        raise CannotVerify(f"{SIGNED_MANIFEST} is malformed")
    size = whole_number(match[2])
    limit_by_key = trust(keys, successions)
    require_trusted(signers(text, match[1], signatures, limit_by_key), limit_by_key, size)
    if hashlib.sha256(pack.read(MANIFEST)).hexdigest() != match[3]:
        raise Tampered(f"{MANIFEST} was changed after it was signed")
    return size


def check_files(pack: Pack) -> None:
    """Raise `Tampered` unless the pack has exactly the files that are listed, with these digests."""
    digest_by_name = {}
    for line in pack.text(MANIFEST).splitlines():
        digest, separator, name = line.partition("  ")
        if not separator or name in digest_by_name:
            raise CannotVerify(f"{MANIFEST} is malformed")
        digest_by_name[name] = digest
    for name in sorted({*digest_by_name, *pack.names} - {MANIFEST, SIGNED_MANIFEST}):
        if name not in digest_by_name:
            raise Tampered(f"{name} was added to the pack")
        if name not in pack.names:
            raise Tampered(f"{name} is missing from the pack")
        if digest_of_file(pack, name) != digest_by_name[name]:
            raise Tampered(f"{name} was changed")


def digest_of_file(pack: Pack, name: str) -> str:
    """Return the SHA-256 of a file of the pack."""
    digest = hashlib.sha256()
    with pack.open(name) as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def check_audit_log(pack: Pack, events: Sequence[dict[str, Any]]) -> None:
    """Raise `Tampered` unless the rows of the CSV file are the events of the history, given by their `shown`."""
    csv.field_size_limit(2**31 - 1)
    with pack.open(AUDIT_LOG) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    if len(rows) != len(events):
        raise Tampered(f"{AUDIT_LOG} has {quantity(len(rows), 'event')}, and {HISTORY} {len(events)}")
    for row, event in zip(rows, events):  # noqa: B905  # Python 3.9 has no `strict`
        for column, cell in row.items():
            if not shows(cell, column, event):
                raise Tampered(f"position {event['position']}: `{column}` in {AUDIT_LOG} is not that of {HISTORY}")


def shows(cell: str, column: str, shown: dict[str, Any]) -> bool:
    """Return whether a cell of the audit log has the value of an event. Formulas in it are preceded by apostrophes."""
    if column == "details":
        return bool(json.loads(cell.removeprefix("'")) == shown["details"])
    value = shown["actor"][column.removeprefix("actor_")] if column.startswith("actor_") else shown[column]
    return cell.replace("'", "") == printable(value).replace("'", "")


def printable(value: Any) -> str:
    """Return a value as files for readers show it: null is empty, and unprintable characters are escaped."""
    return "" if value is None else UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", str(value))


class EventTable(HTMLParser):
    """The cells of the table of events in a report."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self._in_table = self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin the table, a row or a cell."""
        if tag == "tbody" and ("id", "events") in attrs:
            self._in_table = True
        elif self._in_table and tag == "tr":
            self.rows.append([])
        elif self._in_table and tag == "td":
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        """End the table or a cell."""
        if tag == "tbody":
            self._in_table = False
        elif tag == "td":
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        """Add text to the cell."""
        if self._in_table and self._in_cell:
            self.rows[-1][-1] += data


def check_report(pack: Pack, events: Sequence[dict[str, Any]]) -> None:
    """Raise `Tampered` unless the table in the report has the events of the history, given by their `shown`."""
    table = EventTable()
    table.feed(pack.text(REPORT))
    table.close()
    if len(table.rows) != len(events):
        raise Tampered(f"{REPORT} has {quantity(len(table.rows), 'event')}, and {HISTORY} {len(events)}")
    for row, event in zip(table.rows, events):  # noqa: B905  # Python 3.9 has no `strict`
        if row != report_cells(event):
            raise Tampered(f"position {event['position']}: {REPORT} does not show the event of {HISTORY}")


def report_cells(shown: dict[str, Any]) -> list[str]:
    """Return the cells of an event in the report."""
    actor = shown["actor"]
    cells = [
        shown["position"],
        f"{shown['recorded_at'][:19].replace('T', ' ')}",
        shown["in_words"],
        shown["action"],
        actor["type"] if actor["name"] is None else f"{actor['type']}: {actor['name']}",
        actor["person"],
        shown["reason"],
    ]
    return [printable(cell) for cell in cells]


def check_checkpoints(
    pack: Pack, header: dict[str, Any], claims: Claims, keys: Sequence[Key], successions: Sequence[str]
) -> int:
    """Require that the checkpoints continue each other, include the one of the history, and return their number."""
    if pack.text(KEYS).splitlines() != header["keys"]:
        raise Tampered(f"{KEYS} has other keys than {HISTORY}")
    if [pack.text(name) for name in pack.below(SUCCESSION_FOLDER)] != header["successions"]:
        raise Tampered(f"the successions are not those of {HISTORY}")
    notes = [pack.text(name) for name in pack.below(CHECKPOINT_FOLDER)]
    checkpoints = [read_checkpoint(note, keys, successions) for note in notes]
    if header["checkpoint"] not in notes:
        raise Tampered(f"the checkpoint of {HISTORY} is missing")
    proofs = json.loads(pack.text(CONSISTENCY))
    if len(proofs) != len(checkpoints) - 1:
        raise Tampered(f"{CONSISTENCY} does not have a proof for each checkpoint after the first")
    for old, new, proof in zip(checkpoints, checkpoints[1:], proofs):  # noqa: B905  # Python 3.9 has no `strict`
        require_continuation(old, new, proof)
    if any(checkpoint.origin != claims.checkpoint.origin for checkpoint in checkpoints):
        raise CannotVerify("the checkpoints are of different stores")
    return len(checkpoints)


# The command.


def verdict_of(arguments: argparse.Namespace) -> str:
    """Run the check that was asked for, and return the verdict."""
    keys = [parse_key(text) for text in arguments.public_key]
    successions = [read_text(file) for file in arguments.succession]
    if arguments.consistency:
        old, new = map(read_text, arguments.consistency)
        proof = parse_line(Path(arguments.proof).read_bytes(), 1) if arguments.proof else None
        return check_consistency(old, new, proof, keys, successions)
    file = Path(arguments.file)
    if file.is_dir() or zipfile.is_zipfile(file):
        return check_pack(file, keys, successions)
    with file.open("rb") as lines:
        return check(lines, keys, successions)


def read_text(file: str) -> str:
    """Return the text of a file, with its line ends as they are."""
    return Path(file).read_bytes().decode()


def main() -> int:
    """Run the check on the command line and return the exit code. An error is no tampering: it never gives code 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="the export, as JSON lines, or the evidence pack")
    parser.add_argument("--public-key", action="append", required=True, metavar="KEY", help="repeat for more")
    parser.add_argument("--consistency", nargs=2, metavar=("OLD", "NEW"), help="two checkpoints that you kept")
    parser.add_argument("--proof", metavar="FILE", help="with --consistency: the proof, as the service answers it")
    parser.add_argument(
        "--succession",
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoint that you kept in which one key replaced another; repeat for more",
    )
    arguments = parser.parse_args()
    if (arguments.file is None) is (arguments.consistency is None) or (arguments.proof and not arguments.consistency):
        parser.error("give a file, or --consistency with --proof")
    try:
        print(verdict_of(arguments), flush=True)
    except Tampered as error:
        print(f"tampered: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  # a malformed file can cause any
        print(f"could not tell: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
