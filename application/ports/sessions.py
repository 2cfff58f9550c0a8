"""Port: open sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from domain.assurance_level import AssuranceLevel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.event_metadata import Ciphertext


@dataclass(frozen=True)
class Session:
    """A valid session.

    It `needs_second_factor` if the account's policy requires one, or its person has one.
    """

    session_id: UUID
    account_id: UUID
    person_id: UUID
    assurance: AssuranceLevel
    opened_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: Ciphertext | None
    user_agent: Ciphertext | None
    needs_second_factor: bool = False

    @property
    def belongs_to_owner(self) -> bool:
        """Whether the session belongs to the account's owner, not to a sub-user."""
        return self.person_id == self.account_id

    @property
    def step_up_required(self) -> bool:
        """Whether the session has no rights until its person verifies a second factor, or adds their first one."""
        has_own_password = not self.assurance.is_restricted
        return self.needs_second_factor and has_own_password and not self.assurance.meets(AssuranceLevel.SECOND_FACTOR)


class Sessions(Protocol):
    """Open sessions. `OpenSession` and `CloseSession` write them."""

    def find(self, token_hash: bytes, now: datetime) -> Session | None:
        """Return the session with this token, if it is valid, and record its use."""

    def of_person(self, person_id: UUID, now: datetime) -> Sequence[Session]:
        """Return a person's valid sessions, newest first."""
