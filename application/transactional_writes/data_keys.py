"""Writes of the data keys of people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.event_metadata import Ciphertext


@dataclass(frozen=True)
class StoreDataKey(TransactionalWrite):
    """Store a person's data key, wrapped by a master key."""

    person_id: UUID
    account_id: UUID
    wrapped_key: bytes = field(repr=False)
    master_key_id: str


@dataclass(frozen=True)
class EraseDataKey(TransactionalWrite):
    """Delete a person's data key and all other personal data of them, in every table."""

    person_id: UUID


@dataclass(frozen=True)
class PlaceLegalHold(TransactionalWrite):
    """Keep the data key of a deleted sub-user until `due_at`. Delete their password and stored responses now."""

    person_id: UUID
    account_id: UUID
    due_at: datetime
    encrypted_name: Ciphertext
    encrypted_surname: Ciphertext
