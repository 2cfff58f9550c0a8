"""Pagination cursors: encrypted, bound to one list and one reader, and valid for a day."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from application.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.ports.clock import Clock

LIFETIME = timedelta(hours=24)
EXPIRY_BYTES = 5
MAX_LENGTH = 2000
"""Maximum characters. The longest names and e-mails by which lists are sorted need about 1,200."""


class NotDecrypted(Exception):
    """A ciphertext has another binding or key, or was altered."""


class CursorCipher(Protocol):
    """Encryption under a key of the service."""

    def encrypt(self, plaintext: bytes, bound_to: bytes) -> bytes:
        """Return a ciphertext that can only be decrypted with the same `bound_to`."""

    def decrypt(self, ciphertext: bytes, bound_to: bytes) -> bytes:
        """Return the plaintext. Raises `NotDecrypted`."""


class Cursors:
    """Writes and reads cursors. `scope` identifies the list by account, filters and order.

    `reader` returns the id of the current reader. A cursor is only valid for the reader and the list that it is from.
    """

    def __init__(self, cipher: CursorCipher, clock: Clock, reader: Callable[[], str]) -> None:
        self._cipher = cipher
        self._clock = clock
        self._reader = reader

    def write(self, scope: list[str], last: list[Any]) -> str:
        """Return the cursor after a page. `last` are the sort values of its last item."""
        expires_at = int((self._clock() + LIFETIME).timestamp()).to_bytes(EXPIRY_BYTES, "big")
        text = json.dumps(last, separators=(",", ":"), ensure_ascii=False)
        ciphertext = self._cipher.encrypt(expires_at + text.encode(), self._bound_to(scope))
        return base64.urlsafe_b64encode(ciphertext).decode().rstrip("=")

    def read(self, scope: list[str], cursor: str) -> list[Any]:
        """Return the sort values of the last item of the page before. Raises `InvalidValue`."""
        try:
            ciphertext = base64.b64decode(cursor[:MAX_LENGTH] + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            plaintext = self._cipher.decrypt(ciphertext, self._bound_to(scope))
        except (binascii.Error, ValueError, NotDecrypted):
            raise InvalidValue(
                "cursor", "does not belong to this list and API key: begin with the first page"
            ) from None
        if datetime.fromtimestamp(int.from_bytes(plaintext[:EXPIRY_BYTES], "big"), UTC) <= self._clock():
            raise InvalidValue("cursor", "has expired: begin with the first page")
        values: list[Any] = json.loads(plaintext[EXPIRY_BYTES:])
        return values

    def _bound_to(self, scope: list[str]) -> bytes:
        return sha256(json.dumps([self._reader(), *scope]).encode()).digest()
