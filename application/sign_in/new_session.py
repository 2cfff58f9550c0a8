"""New session: its token, and the row to store."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self
from uuid import UUID, uuid4

from application.transactional_writes import OpenSession
from domain.assurance_level import AssuranceLevel

if TYPE_CHECKING:
    from application.ports.sessions import Session
    from domain.event_metadata import EventMetadata

SESSION_LIFETIME = timedelta(hours=24)
"""Maximum lifetime of a session (ASVS 7.3.2)."""

TOKEN_BYTES = 32
"""256 random bits (ASVS 7.2.3 requires 128)."""


def new_token() -> str:
    """Return a random token."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """Return the hash of a token, which is stored in its place. 256 random bits need no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class NewSession:
    """New session of a sub-user or of an account's owner, with its token. Only the token's hash is stored.

    A session that replaces one without a new login ends with it, at `former_expires_at`.
    """

    account_id: UUID
    person_id: UUID
    assurance: AssuranceLevel
    opened_at: datetime
    access_expires_at: datetime | None = None
    former_expires_at: datetime | None = None
    session_id: UUID = field(default_factory=uuid4)
    token: str = field(default_factory=new_token, repr=False)

    @classmethod
    def stepped_up(cls, former: Session, access_expires_at: datetime | None, at: datetime) -> Self:
        """Return the session that replaces one whose person has proved a second factor."""
        level = AssuranceLevel.SECOND_FACTOR
        return cls(former.account_id, former.person_id, level, at, access_expires_at, former.expires_at)

    @property
    def expires_at(self) -> datetime:
        """Time at which a session in constant use ends: after its lifetime, or with the person's access."""
        return min(self._lifetime_end, self.access_expires_at or self._lifetime_end)

    @property
    def sub_user_id(self) -> UUID | None:
        """Id of the session's sub-user, None if it is the owner's."""
        return self.person_id if self.person_id != self.account_id else None

    @property
    def must_change_password(self) -> bool:
        """Whether the session can only replace the temporary password."""
        return self.assurance.is_restricted

    def as_write(self, metadata: EventMetadata) -> OpenSession:
        """Return the write that stores the session."""
        return OpenSession(
            session_id=self.session_id,
            token_hash=token_hash(self.token),
            account_id=self.account_id,
            person_id=self.person_id,
            assurance=self.assurance,
            opened_at=self.opened_at,
            expires_at=self._lifetime_end,  # the end of access can change, and has its own column
            access_expires_at=self.access_expires_at,
            ip=metadata.ip,
            user_agent=metadata.user_agent,
        )

    @property
    def _lifetime_end(self) -> datetime:
        return self.former_expires_at or self.opened_at + SESSION_LIFETIME
