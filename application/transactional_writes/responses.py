"""Writes of the responses to requests with an idempotency key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class StoreIdempotentResponse(TransactionalWrite):
    """Store the response to a request with an idempotency key. The person's data key encrypts its body."""

    api_key_id: UUID
    idempotency_key: str
    fingerprint: bytes
    status: int
    headers: str
    encrypted_body: str
    person_id: UUID
    answered_at: datetime
