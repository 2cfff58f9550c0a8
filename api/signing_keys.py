"""The keys that sign checkpoints, as the operator gives them, or as they lie in the data folder."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.signed_notes import MalformedKey, VerifierKey

if TYPE_CHECKING:
    from pathlib import Path

SEED_BYTES = 32
"""An Ed25519 private key (RFC 8032)."""

EXPECTED = (
    "must be 32 random bytes in base64, and behind it, after commas, former keys: the same, or what "
    "`subusers signing-key show` printed of them"
)


@dataclass(frozen=True)
class SigningKeys:
    """Private keys, the one that is to sign first, and public keys that have signed before."""

    private: tuple[bytes, ...] = field(default=(), repr=False)
    public: tuple[VerifierKey, ...] = ()

    @classmethod
    def parse(cls, text: str) -> SigningKeys:
        """Return the keys of a setting or a file. Raises ValueError with what they must be."""
        parts = [part.strip() for part in text.split(",")]
        private = [key for key in map(_private_key, parts) if key is not None]
        if _private_key(parts[0]) is None:
            raise ValueError(EXPECTED)
        try:
            public = [VerifierKey.parse(part) for part in parts if _private_key(part) is None]
        except MalformedKey:
            raise ValueError(EXPECTED) from None
        if len(set(private)) < len(private):
            raise ValueError("names the same key twice")
        return cls(tuple(private), tuple(public))

    def __str__(self) -> str:
        return ",".join([*map(_written, self.private), *map(str, self.public)])


def new_private_key() -> bytes:
    """Return a new random key."""
    return secrets.token_bytes(SEED_BYTES)


def generated_in(file: Path) -> SigningKeys:
    """Return the keys in a file, which is made the first time, readable by its owner alone."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft(file, SigningKeys((new_private_key(),)))
        try:
            os.link(draft, file)  # fails where another process was first, whose key then counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return SigningKeys.parse(file.read_text())


def replace(file: Path, keys: SigningKeys) -> None:
    """Put these keys into the file in the place of those that are there, all at once."""
    _draft(file, keys).replace(file)


def _draft(file: Path, keys: SigningKeys) -> Path:
    draft = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(f"{keys}\n")
        out.flush()
        os.fsync(out.fileno())
    return draft


def _written(private: bytes) -> str:
    return base64.b64encode(private).decode()


def _private_key(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == SEED_BYTES else None
