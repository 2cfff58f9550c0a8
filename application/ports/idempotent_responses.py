"""Port: stored responses to idempotent requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uuid import UUID

    from domain.event_metadata import Ciphertext


class IdempotentResponses(Protocol):
    """Responses stored by idempotency key. `StoreIdempotentResponse` writes them."""

    def find(self, api_key_id: UUID, idempotency_key: str) -> StoredResponse | None:
        """Return the response stored under an idempotency key, if any."""


@dataclass(frozen=True)
class StoredResponse:
    """A stored response with the fingerprint of its request."""

    fingerprint: bytes
    status: int
    headers: str
    encrypted_body: Ciphertext
    person_id: UUID
    position: int
