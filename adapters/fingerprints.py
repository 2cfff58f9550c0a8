"""Keyed hashes, by which things are found again that are not kept in the clear."""

from __future__ import annotations

import hmac
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


class KeyedFingerprints:
    """HMAC-SHA-256 under a key of the service's own, with the purpose and each part's length mixed in."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def email(self, address: str) -> str:
        """Return the hash by which an address is found, whatever its case: 128 bits, in hex."""
        return self.of("email", _folded(address)).hex()[:32]

    def sub_user_email(self, account_id: UUID, address: str) -> str:
        """Return the hash by which a sub-user is found in one account: in another one it is another."""
        return self.of("sub-user email", str(account_id), _folded(address)).hex()[:32]

    def of(self, purpose: str, *parts: str) -> bytes:
        """Return the hash of some text, used for one purpose."""
        encoded = [part.encode("utf-8", "surrogatepass") for part in (purpose, *parts)]
        told = b"".join([part for one in encoded for part in (len(one).to_bytes(8, "big"), one)])
        return hmac.digest(self._key, told, "sha256")


def _folded(address: str) -> str:
    return unicodedata.normalize("NFC", address.strip()).casefold()
