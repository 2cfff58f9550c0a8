"""Envelope encryption of personal data: a data key per person, wrapped by a master key, with AES-256-GCM."""

from __future__ import annotations

import hashlib
import hmac
import os
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.keyed_hashes import canonical_address
from domain.event_metadata import Ciphertext

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

KEY_BYTES = 32
NONCE_BYTES = 12
FORMAT = "1."
"""Prefix of every ciphertext. Another format would get another prefix."""

TO_URL_SAFE, FROM_URL_SAFE = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
"""Translations between the standard and the URL-safe alphabet of Base64. The module `base64` is slower."""


class UnknownMasterKey(Exception):
    """Data was encrypted with a master key that is not configured."""


class MasterKeys:
    """Master keys. The first one wraps, and any of them unwraps: to introduce a new key, put it before the old one."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self.current_id = key_id(keys[0])

    def wrap(self, owner: str, key: bytes) -> bytes:
        """Encrypt a key for its owner with the current master key."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[self.current_id].encrypt(nonce, key, owner.encode())

    def unwrap(self, owner: str, master_key_id: str, wrapped: bytes) -> bytes:
        """Decrypt a key for its owner. Raises `UnknownMasterKey`, also if owner or data do not match."""
        cipher = self._ciphers.get(master_key_id)
        if cipher is None:
            raise UnknownMasterKey(master_key_id)
        try:
            return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], owner.encode())
        except InvalidTag:
            raise UnknownMasterKey(master_key_id) from None


def key_id(key: bytes) -> str:
    """Return an id for a key, a hash that reveals nothing about it."""
    return hashlib.sha256(b"subusers key id" + key).hexdigest()[:16]


def new_key() -> bytes:
    """Generate a random 256-bit key."""
    return os.urandom(KEY_BYTES)


class DataKey:
    """Data key of one person. Ciphertext is bound to the person and the field, and invalid elsewhere."""

    def __init__(self, person_id: UUID, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._email_hasher = hmac.new(key, b"email hash", "sha256")
        self._person_id, self._id_bytes = person_id, person_id.bytes
        self._search_key = hmac.digest(key, b"search", "sha256")

    def email_hash(self, address: str) -> str:
        """Return the hash of an e-mail address under the person's key: 128 bits in hex."""
        hasher = self._email_hasher.copy()
        hasher.update(canonical_address(address).encode("utf-8", "surrogatepass"))
        return hasher.hexdigest()[:32]

    def target_key(self, searched: str) -> int:
        """Return a number of 63 bits that identifies the target of an activity, under the person's key."""
        return int.from_bytes(self._search_hash(searched, 8), "big") >> 1

    def search_signature(self, grams: Iterable[str]) -> int:
        """Return a number of 256 bits, of which each gram sets one, under the person's key."""
        signature = 0
        for gram in grams:
            signature |= 1 << self._search_hash(gram, 1)[0]
        return signature

    def _search_hash(self, text: str, size: int) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._search_key, digest_size=size).digest()

    def encrypt(self, field: str, text: str) -> Ciphertext:
        """Encrypt the text of a field."""
        nonce = os.urandom(NONCE_BYTES)
        data = nonce + self._cipher.encrypt(nonce, text.encode(), self._associated_data(field))
        return Ciphertext(FORMAT + b2a_base64(data, newline=False).translate(TO_URL_SAFE).rstrip(b"=").decode())

    def decrypt(self, field: str, ciphertext: Ciphertext) -> str:
        """Decrypt a field. Raises ValueError for a ciphertext of another person or field, or an altered one."""
        encoded = ciphertext.removeprefix(FORMAT).encode().translate(FROM_URL_SAFE)
        data = a2b_base64(encoded + b"=" * (-len(encoded) % 4))
        try:
            return self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], self._associated_data(field)).decode()
        except InvalidTag:
            msg = f"{field} cannot be decrypted with the key of {self._person_id}"
            raise ValueError(msg) from None

    def _associated_data(self, field: str) -> bytes:
        return self._id_bytes + field.encode()
