"""AES-256-GCM encryption of pagination cursors, with a key derived from the service's key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.encryption import NONCE_BYTES
from application.pagination_cursors import NotDecrypted

if TYPE_CHECKING:
    from adapters.keyed_hashes import HmacHasher

TAG_BYTES = 16


class AesCursorCipher:
    """Encrypts cursors. The output is a random nonce, then the ciphertext with its tag."""

    def __init__(self, keyed_hasher: HmacHasher) -> None:
        self._cipher = AESGCM(keyed_hasher.hash("cursor encryption key"))

    def encrypt(self, plaintext: bytes, bound_to: bytes) -> bytes:
        """Return a ciphertext that decrypts only together with the same `bound_to`."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, bound_to)

    def decrypt(self, ciphertext: bytes, bound_to: bytes) -> bytes:
        """Return the plaintext. Raises `NotDecrypted` if the ciphertext is invalid or bound to something else."""
        if len(ciphertext) < NONCE_BYTES + TAG_BYTES:
            raise NotDecrypted
        try:
            return self._cipher.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], bound_to)
        except InvalidTag:
            raise NotDecrypted from None
