"""Signed notes (c2sp.org/signed-note): text followed by Ed25519 signatures, each with the name and id of its key."""

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
KEY_ID_BYTES = 4
MAX_NOTE_LENGTH = 100_000
"""Maximum characters. Notes of this service have a few hundred, plus signatures by others."""

MAX_SIGNATURES = 100
KEY_NAME = r"[^\s+]+"
SIGNATURE_LINE = re.compile(rf"\u2014 ({KEY_NAME}) ([A-Za-z0-9+/=]+)")
VERIFIER_KEY = re.compile(rf"({KEY_NAME})\+([0-9a-f]{{8}})\+([A-Za-z0-9+/=]+)")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class MalformedNote(Exception):
    """A text is not a signed note. The message describes the problem."""


class MalformedKey(Exception):
    """A text is not an Ed25519 key in the format of signed notes: NAME+ID+KEY."""


class Signer(Protocol):
    """Private key."""

    @property
    def public_key(self) -> bytes:
        """The matching public key."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""


class Verify(Protocol):
    """Function that verifies signatures."""

    def __call__(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Return whether a signature of a message is by a key."""


@dataclass(frozen=True)
class VerifierKey:
    """Public key with the name under which it signs."""

    name: str
    public_key: bytes

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Parse a key such as `example.com/log+c74f20a3+ARpc2Q…`. Raises `MalformedKey`."""
        match = VERIFIER_KEY.fullmatch(text.strip())
        key = _decoded(match[3]) if match else b""
        if match is None or key[:1] != ED25519 or len(key) != 1 + PUBLIC_KEY_BYTES:
            raise MalformedKey
        verifier_key = cls(match[1], key[1:])
        if verifier_key.key_id.hex() != match[2]:
            raise MalformedKey
        return verifier_key

    @property
    def key_id(self) -> bytes:
        """Four bytes that identify the key in a signature, together with its name."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public_key).decode()}"


@dataclass(frozen=True)
class NoteSignature:
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"\u2014 {self.name} {base64.b64encode(self.key_id + self.signature).decode()}"


@dataclass(frozen=True)
class SignedNote:
    """Text, which ends with a newline, with its signatures."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, note: str) -> SignedNote:
        """Parse a note. Raises `MalformedNote`."""
        text, separator, signature_lines = note.rpartition("\n\n")
        if not separator or not text or not signature_lines.endswith("\n"):
            raise MalformedNote("it is not a signed note, which is text, an empty line, and lines with signatures")
        if len(note) > MAX_NOTE_LENGTH or CONTROL.search(note):
            raise MalformedNote("it is too long, or contains control characters")
        lines = signature_lines.removesuffix("\n").split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise MalformedNote("it has too many signatures")
        return cls(f"{text}\n", tuple(_signature(line) for line in lines))

    def __str__(self) -> str:
        return f"{self.text}\n" + "".join(f"{signature}\n" for signature in self.signatures)

    def signed_by(self, keys: Iterable[VerifierKey], verify: Verify) -> list[VerifierKey]:
        """Return those of the keys that signed the note. Raises `BadSignature` if one of their signatures is wrong."""
        key_by_id = {(key.name, key.key_id): key for key in keys}
        signers = []
        for signature in self.signatures:
            key = key_by_id.get((signature.name, signature.key_id))
            if key is not None:
                if not verify(key.public_key, signature.signature, self.text.encode()):
                    raise BadSignature(key)
                signers.append(key)
        return signers


class BadSignature(Exception):
    """A signature that names a key is not a signature of the text by this key."""

    def __init__(self, key: VerifierKey) -> None:
        super().__init__(f"the signature of key {key.key_id.hex()} is not of this text")


def sign(text: str, name: str, signers: Iterable[Signer]) -> SignedNote:
    """Return a note with a signature by each signer, all under one name."""
    signatures = []
    for signer in signers:
        key = VerifierKey(name, signer.public_key)
        signatures.append(NoteSignature(name, key.key_id, signer.sign(text.encode())))
    return SignedNote(text, tuple(signatures))


def _signature(line: str) -> NoteSignature:
    match = SIGNATURE_LINE.fullmatch(line)
    decoded = _decoded(match[2]) if match else b""
    if match is None or len(decoded) <= KEY_ID_BYTES:
        raise MalformedNote("a line after its text is not a signature")
    return NoteSignature(match[1], decoded[:KEY_ID_BYTES], decoded[KEY_ID_BYTES:])


def _decoded(text: str) -> bytes:
    """Decode base64. Return no bytes for invalid text."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
