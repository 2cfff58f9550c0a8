"""The keys that sign checkpoints, from the setting or from the data folder."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from api.bootstrap import key_files
from application.transparency.signed_note import MalformedKey, VerifierKey

if TYPE_CHECKING:
    from pathlib import Path

SEED_BYTES = 32
"""Length of an Ed25519 private key (RFC 8032)."""

EXPECTED_FORM = (
    "must be 32 random bytes in base64; append former keys after commas, in the same form or as "
    "`subusers signing-key show` printed them"
)


@dataclass(frozen=True)
class SigningKeys:
    """Private keys, the signing one first, and the public keys of former ones."""

    private: tuple[bytes, ...] = field(default=(), repr=False)
    public: tuple[VerifierKey, ...] = ()

    @classmethod
    def parse(cls, text: str) -> SigningKeys:
        """Parse the keys of a setting or a file. Raises ValueError with the expected form."""
        parts = [part.strip() for part in text.split(",")]
        private = [key for key in map(_parse_private_key, parts) if key is not None]
        if _parse_private_key(parts[0]) is None:
            raise ValueError(EXPECTED_FORM)
        try:
            public = [VerifierKey.parse(part) for part in parts if _parse_private_key(part) is None]
        except MalformedKey:
            raise ValueError(EXPECTED_FORM) from None
        if len(set(private)) < len(private):
            raise ValueError("names the same key twice")
        return cls(tuple(private), tuple(public))

    def as_setting(self) -> str:
        """Return the keys in the form that `parse` takes, with private keys in plaintext."""
        return ",".join([*map(_encode_private_key, self.private), *map(str, self.public)])


def new_private_key() -> bytes:
    """Return a new random key."""
    return secrets.token_bytes(SEED_BYTES)


def load_or_generate(file: Path) -> SigningKeys:
    """Return the keys in a file. If it does not exist, generate it, readable only by its owner."""
    if not file.exists():
        key_files.create(file, _file_text(SigningKeys((new_private_key(),))))
    return SigningKeys.parse(file.read_text())


def replace(file: Path, keys: SigningKeys) -> None:
    """Replace the keys in a file atomically."""
    key_files.replace(file, _file_text(keys))


def _file_text(keys: SigningKeys) -> str:
    return f"{keys.as_setting()}\n"


def _encode_private_key(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _parse_private_key(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == SEED_BYTES else None
