"""Signed notes (c2sp.org/signed-note): text, and below it signatures by Ed25519 keys, known by name and id."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

ED25519 = b"\x01"
PUBLIC_KEY_BYTES = 32
LARGEST_NOTE = 100_000
"""Characters: a note of ours has some hundreds, and others may have signed it too."""

MOST_SIGNATURES = 100
KEY_NAME = r"[^\s+]+"
SIGNATURE_LINE = re.compile(rf"\u2014 ({KEY_NAME}) ([A-Za-z0-9+/=]+)")
VERIFIER_KEY = re.compile(rf"({KEY_NAME})\+([0-9a-f]{{8}})\+([A-Za-z0-9+/=]+)")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class MalformedNote(Exception):
    """Not a signed note; the message says what is wrong with it."""


class MalformedKey(Exception):
    """Not an Ed25519 key as signed notes have it: NAME+ID+KEY."""


class Signer(Protocol):
    """A private key in use."""

    @property
    def public_key(self) -> bytes:
        """The key that verifies what this one signs."""

    def sign(self, message: bytes) -> bytes:
        """Return a signature."""


class Verify(Protocol):
    """Says whether a signature is that key's, of that message."""

    def __call__(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Say so."""


@dataclass(frozen=True)
class VerifierKey:
    """A public key, and the name under which it signs."""

    name: str
    public_key: bytes

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Return the key that a text such as `example.com/log+c74f20a3+ARpc2Q…` stands for. Raises `MalformedKey`."""
        match = VERIFIER_KEY.fullmatch(text.strip())
        key = _decoded(match[3]) if match else b""
        if match is None or key[:1] != ED25519 or len(key) != 1 + PUBLIC_KEY_BYTES:
            raise MalformedKey
        found = cls(match[1], key[1:])
        if found.key_id.hex() != match[2]:
            raise MalformedKey
        return found

    @property
    def key_id(self) -> bytes:
        """The four bytes by which a signature names its key, together with the name."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public_key).decode()}"


@dataclass(frozen=True)
class NoteSignature:
    """One line below the text."""

    name: str
    key_id: bytes
    signature: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"\u2014 {self.name} {base64.b64encode(self.key_id + self.signature).decode()}"


@dataclass(frozen=True)
class SignedNote:
    """A text, which ends with a newline, and its signatures."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, note: str) -> SignedNote:
        """Return the note that a text is. Raises `MalformedNote`."""
        text, blank, below = note.rpartition("\n\n")
        if not blank or not text or not below.endswith("\n"):
            raise MalformedNote("it is no signed note: text, an empty line, and lines of signatures")
        if len(note) > LARGEST_NOTE or CONTROL.search(note):
            raise MalformedNote("it is too long, or has control characters")
        lines = below.removesuffix("\n").split("\n")
        if len(lines) > MOST_SIGNATURES:
            raise MalformedNote("it has too many signatures")
        return cls(f"{text}\n", tuple(_signature(line) for line in lines))

    def __str__(self) -> str:
        return f"{self.text}\n" + "".join(f"{one}\n" for one in self.signatures)

    def signed_by(self, keys: Iterable[VerifierKey], verify: Verify) -> list[VerifierKey]:
        """Return which of these keys have signed it. Raises `BadSignature` if one is said to have, and has not."""
        known = {(key.name, key.key_id): key for key in keys}
        found = []
        for one in self.signatures:
            key = known.get((one.name, one.key_id))
            if key is not None:
                if not verify(key.public_key, one.signature, self.text.encode()):
                    raise BadSignature(key)
                found.append(key)
        return found


class BadSignature(Exception):
    """The text is not what this key signed."""

    def __init__(self, key: VerifierKey) -> None:
        super().__init__(f"the signature of key {key.key_id.hex()} is not of this text")


def sign(text: str, name: str, signers: Iterable[Signer]) -> SignedNote:
    """Return a note with the signatures of these keys, under one name."""
    signatures = []
    for signer in signers:
        key = VerifierKey(name, signer.public_key)
        signatures.append(NoteSignature(name, key.key_id, signer.sign(text.encode())))
    return SignedNote(text, tuple(signatures))


def _signature(line: str) -> NoteSignature:
    match = SIGNATURE_LINE.fullmatch(line)
    decoded = _decoded(match[2]) if match else b""
    if match is None or len(decoded) <= 4:
        raise MalformedNote("a line below its text is no signature")
    return NoteSignature(match[1], decoded[:4], decoded[4:])


def _decoded(text: str) -> bytes:
    """Return what a text in base64 stands for, nothing if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
