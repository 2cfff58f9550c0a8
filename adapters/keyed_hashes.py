"""Keyed hashes, used to look up values that are not stored in plaintext."""

from __future__ import annotations

import hmac
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


class HmacHasher:
    """HMAC-SHA-256 under a key of the service. The input includes the purpose and the length of each part."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def email(self, address: str) -> str:
        """Return the case-insensitive hash of an e-mail address: 128 bits in hex."""
        return self.hash("email", canonical_address(address)).hex()[:32]

    def external_id(self, external_id: str) -> str:
        """Return the hash of the portal's own id of an account: 128 bits in hex."""
        return self.hash("external id", external_id).hex()[:32]

    def sub_user_email(self, account_id: UUID, address: str) -> str:
        """Return a sub-user's e-mail hash as in old events; newer events use the person's own key."""
        return self.hash("sub-user email", str(account_id), canonical_address(address)).hex()[:32]

    def hash(self, purpose: str, *parts: str) -> bytes:
        """Return the 32-byte hash of some parts. Different purposes give different hashes."""
        encoded = [part.encode("utf-8", "surrogatepass") for part in (purpose, *parts)]
        message = b"".join([field for part in encoded for field in (len(part).to_bytes(8, "big"), part)])
        return hmac.digest(self._key, message, "sha256")


def canonical_address(address: str) -> str:
    """Return an address in a canonical form: trimmed, NFC-normalized and case-folded."""
    return unicodedata.normalize("NFC", address.strip()).casefold()
