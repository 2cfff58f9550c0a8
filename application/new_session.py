"""A session that is about to be opened: its token, which only its owner ever sees, and the record of it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.records import SessionOpened

if TYPE_CHECKING:
    from domain.cause import Cause

SESSION_LIFETIME = timedelta(hours=24)
"""No session is good for longer (DESIGN section 6; ASVS 7.3.2)."""

TOKEN_BYTES = 32
"""256 random bits (ASVS 7.2.3 asks for 128)."""


def new_token() -> str:
    """Return a secret that nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """Return what the store keeps of a token: 256 random bits need no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class NewSession:
    """A session that is about to be opened, for a sub-user or for an account's owner.

    A `restricted` one is good for setting a password of one's own alone. None outlives the access of whose it is.
    """

    account_id: UUID
    person_id: UUID
    restricted: bool = False
    access_expires_at: datetime | None = None
    session_id: UUID = field(default_factory=uuid4)
    token: str = field(default_factory=new_token, repr=False)

    def expires_at(self, opened_at: datetime) -> datetime:
        """Return when it ends, however much it is used."""
        ends = [opened_at + SESSION_LIFETIME, *([self.access_expires_at] if self.access_expires_at else [])]
        return min(ends)

    def record(self, opened_at: datetime, cause: Cause) -> SessionOpened:
        """Return what the store keeps of it."""
        return SessionOpened(
            session_id=self.session_id,
            token_hash=token_hash(self.token),
            account_id=self.account_id,
            person_id=self.person_id,
            restricted=self.restricted,
            opened_at=opened_at,
            expires_at=opened_at + SESSION_LIFETIME,
            access_expires_at=self.access_expires_at,
            ip=cause.ip,
            user_agent=cause.user_agent,
        )
