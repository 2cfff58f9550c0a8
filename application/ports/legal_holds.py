"""Port: legal holds on deleted sub-users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class LegalHold:
    """A deleted sub-user whose personal data is kept until `due_at`."""

    person_id: UUID
    account_id: UUID
    due_at: datetime


class LegalHolds(Protocol):
    """Sub-users who are deleted but not yet erased. `PlaceLegalHold` and `EraseDataKey` begin and end holds."""

    def claim(self, now: datetime) -> LegalHold | None:
        """Claim a hold that has ended, so that other workers skip it for some time. Return None if there is none."""
