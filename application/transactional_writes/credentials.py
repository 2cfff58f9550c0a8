"""Writes of passwords, and of the failed attempts to guess them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class StorePassword(TransactionalWrite):
    """Replace a person's password. `encrypted_password` is a temporary password, encrypted until it is mailed."""

    person_id: UUID
    password_hash: str = field(repr=False)
    must_change: bool
    expires_at: datetime | None
    credentials_version: int
    encrypted_password: str | None = field(repr=False)

    @classmethod
    def chosen(cls, person_id: UUID, password_hash: str, credentials_version: int) -> Self:
        """Return the write for a password that the person chose. It does not expire and is never mailed."""
        return cls(
            person_id=person_id,
            password_hash=password_hash,
            must_change=False,
            expires_at=None,
            credentials_version=credentials_version,
            encrypted_password=None,
        )


@dataclass(frozen=True)
class ReplacePasswordHash(TransactionalWrite):
    """Replace the hash of an unchanged password by one with the current parameters."""

    person_id: UUID
    old_hash: str = field(repr=False)
    new_hash: str = field(repr=False)


@dataclass(frozen=True)
class SetTemporaryPasswordExpiry(TransactionalWrite):
    """Set the expiry of a temporary password. Its validity starts when it is mailed."""

    person_id: UUID
    expires_at: datetime


@dataclass(frozen=True)
class ForgetMailedPassword(TransactionalWrite):
    """Delete the encrypted temporary password after its mail was sent or abandoned."""

    person_id: UUID
    credentials_version: int


@dataclass(frozen=True)
class ForgetAccountPasswords(TransactionalWrite):
    """Delete all encrypted temporary passwords in an account, which will not be mailed any more."""

    account_id: UUID


@dataclass(frozen=True)
class ResetFailedAttempts(TransactionalWrite):
    """Reset the failed attempts on a person who receives new credentials.

    `is_exempt` is for credentials that are random and too long to be guessed: attempts are not throttled, so that
    guesses do not lock out the person. None leaves the exemption unchanged.
    """

    identity: bytes = field(repr=False)
    at: datetime
    is_exempt: bool | None = False


@dataclass(frozen=True)
class MoveAttemptExemption(TransactionalWrite):
    """Delete the counters of failed attempts with a person's former e-mail. An exemption moves to their new one."""

    former_identity: bytes = field(repr=False)
    identity: bytes = field(repr=False)
    at: datetime


@dataclass(frozen=True)
class ForgetFailedAttempts(TransactionalWrite):
    """Delete the counters of failed attempts on a deleted person."""

    identity: bytes = field(repr=False)
