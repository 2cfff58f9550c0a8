"""Port: vault of data keys and passwords."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from application.transactional_writes import StoreDataKey
    from domain.event_metadata import Ciphertext


class PersonKey(Protocol):
    """Decrypted data key of one person."""

    def encrypt(self, field: str, text: str) -> Ciphertext:
        """Encrypt a field of the person."""

    def decrypt(self, field: str, ciphertext: Ciphertext) -> str:
        """Decrypt a field. Raises `ValueError` for another person's, another field's or altered ciphertext."""

    def email_hash(self, address: str) -> str:
        """Return the case-insensitive hash of an e-mail under this key. Deleting the key makes it useless."""

    def target_key(self, searched: str) -> int:
        """Return a number of 63 bits that identifies the target of an activity, under this key."""

    def search_signature(self, grams: Iterable[str]) -> int:
        """Return a number of 256 bits, of which each gram sets one, under this key."""


@dataclass(frozen=True)
class VaultEntry:
    """Entry of one person in the vault."""

    person_id: UUID
    account_id: UUID
    key: PersonKey = field(repr=False)
    password_hash: str | None = field(repr=False)
    must_change: bool
    password_expires_at: datetime | None
    credentials_version: int
    encrypted_password: Ciphertext | None = field(repr=False)


class Vault(Protocol):
    """Vault with the data key and password of each person."""

    def new_data_key(self, person_id: UUID, account_id: UUID) -> tuple[PersonKey, StoreDataKey]:
        """Return a new data key, and the write that stores it."""

    def entries(self, person_ids: Sequence[UUID]) -> Mapping[UUID, VaultEntry]:
        """Return the existing entries of these people by id."""

    def person_ids_of(self, account_id: UUID) -> set[UUID]:
        """Return the ids of all people of an account who have an entry: the owner, and sub-users not yet erased."""
