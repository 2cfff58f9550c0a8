"""Writes of sessions, devices and console links."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.assurance_level import AssuranceLevel


@dataclass(frozen=True)
class OpenSession(TransactionalWrite):
    """Store a new session. Only the SHA-256 hash of its token is stored."""

    session_id: UUID
    token_hash: bytes = field(repr=False)
    account_id: UUID
    person_id: UUID
    assurance: AssuranceLevel
    opened_at: datetime
    expires_at: datetime
    access_expires_at: datetime | None
    ip: str | None
    user_agent: str | None


@dataclass(frozen=True)
class CloseSession(TransactionalWrite):
    """End one session of a person."""

    session_id: UUID
    person_id: UUID


@dataclass(frozen=True)
class ClosePersonSessions(TransactionalWrite):
    """End all sessions of a person."""

    person_id: UUID


@dataclass(frozen=True)
class CloseAccountSessions(TransactionalWrite):
    """End all sessions in an account, of the owner and the sub-users."""

    account_id: UUID


@dataclass(frozen=True)
class LimitSessions(TransactionalWrite):
    """Set the end of access for a person's sessions. Sessions that have ended by `at` are deleted, not extended."""

    person_id: UUID
    access_expires_at: datetime | None
    at: datetime


@dataclass(frozen=True)
class RememberDevice(TransactionalWrite):
    """Store the device of a sign-in, or its last use. Only a keyed hash of its id is stored."""

    person_id: UUID
    device_hash: bytes = field(repr=False)
    at: datetime


@dataclass(frozen=True)
class DeleteConsoleLink(TransactionalWrite):
    """Delete a used console link. Only the SHA-256 hash of its secret is stored."""

    link_hash: bytes = field(repr=False)
