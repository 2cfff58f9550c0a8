"""Port: keyed hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uuid import UUID


class KeyedHasher(Protocol):
    """Deterministic hashes under a key of the service. They reveal nothing about the text without the key."""

    def email(self, address: str) -> str:
        """Return the case-insensitive hash of an e-mail address."""

    def external_id(self, external_id: str) -> str:
        """Return the hash of the portal's own id of an account."""

    def sub_user_email(self, account_id: UUID, address: str) -> str:
        """Return the hash of a sub-user's e-mail address, which differs between accounts."""

    def hash(self, purpose: str, *parts: str) -> bytes:
        """Return the hash of texts, which differs between purposes."""
