"""Personal data at rest: a key for each person, wrapped by the master key, AES-256-GCM throughout."""

from __future__ import annotations

import hashlib
import os
from binascii import a2b_base64, b2a_base64
from collections import deque
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.cause import Sealed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

KEY_BYTES = 32
NONCE_BYTES = 12
FORMAT = "1."
"""Begins every sealed text, so that another format can tell itself apart."""


TO_URL, FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
"""Base64's other alphabet: `base64` gets there in more steps."""

NONCES_AT_ONCE = 256

_nonces: deque[bytes] = deque()
os.register_at_fork(after_in_child=_nonces.clear)  # or two processes would have the same ones


def _new_nonce() -> bytes:
    """Return random bytes that nobody else gets: many at once, as each call lets others have the interpreter."""
    try:
        return _nonces.pop()
    except IndexError:
        fresh = os.urandom(NONCE_BYTES * NONCES_AT_ONCE)
        _nonces.extend(fresh[at : at + NONCE_BYTES] for at in range(NONCE_BYTES, len(fresh), NONCE_BYTES))
        return fresh[:NONCE_BYTES]


class UnknownMasterKey(Exception):
    """What is stored was encrypted under a master key that is not among the given ones."""


class MasterKeys:
    """The master keys: the first wraps, all of them unwrap, so that a new one can be put before the old."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self.current_id = key_id(keys[0])

    def wrap(self, owner: str, key: bytes) -> bytes:
        """Encrypt a key for its owner, under the current master key."""
        nonce = _new_nonce()
        return nonce + self._ciphers[self.current_id].encrypt(nonce, key, owner.encode())

    def unwrap(self, owner: str, master_key_id: str, wrapped: bytes) -> bytes:
        """Decrypt a key of that owner. Raises `UnknownMasterKey`."""
        cipher = self._ciphers.get(master_key_id)
        if cipher is None:
            raise UnknownMasterKey(master_key_id)
        try:
            return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], owner.encode())
        except InvalidTag:
            raise UnknownMasterKey(master_key_id) from None


def key_id(key: bytes) -> str:
    """Return a name for a key that tells nothing about it."""
    return hashlib.sha256(b"subusers key id" + key).hexdigest()[:16]


def new_key() -> bytes:
    """Return a new random key."""
    return os.urandom(KEY_BYTES)


class DataKey:
    """One person's data key. What it seals is bound to the person and the field, and cannot be moved to another."""

    def __init__(self, person_id: UUID, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._person_id = person_id

    def seal(self, field: str, text: str) -> Sealed:
        """Encrypt a field."""
        nonce = _new_nonce()
        box = nonce + self._cipher.encrypt(nonce, text.encode(), self._bound_to(field))
        return Sealed(FORMAT + b2a_base64(box, newline=False).translate(TO_URL).rstrip(b"=").decode())

    def open(self, field: str, sealed: Sealed) -> str:
        """Decrypt a field. Raises ValueError where it is not this person's, not that field, or was altered."""
        encoded = sealed.removeprefix(FORMAT).encode().translate(FROM_URL)
        box = a2b_base64(encoded + b"=" * (-len(encoded) % 4))
        try:
            return self._cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], self._bound_to(field)).decode()
        except InvalidTag:
            msg = f"{field} cannot be opened with the key of {self._person_id}"
            raise ValueError(msg) from None

    def _bound_to(self, field: str) -> bytes:
        return self._person_id.bytes + field.encode()
