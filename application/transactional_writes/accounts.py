"""Writes of the account directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class LockAccountInDirectory(TransactionalWrite):
    """Lock an account in the directory until the transaction ends, before its rows are replaced.

    Without the lock, of two concurrent commands that replace them, the second would find the e-mail taken by the first.
    """

    account_id: UUID


@dataclass(frozen=True)
class AddAccountToDirectory(TransactionalWrite):
    """Add an account to the directory under its e-mail and its external id, which must be unique there."""

    email_hash: str
    account_id: UUID
    external_id_hash: str | None = None


@dataclass(frozen=True)
class AddFormerEmail(TransactionalWrite):
    """Let a former e-mail find its account until `kept_until`. No other account can have it until then."""

    email_hash: str
    account_id: UUID
    kept_until: datetime


@dataclass(frozen=True)
class ReleaseFormerEmail(TransactionalWrite):
    """Remove a former e-mail that does not work any more from the directory, so that an account can have it."""

    email_hash: str
    at: datetime


@dataclass(frozen=True)
class SetAccountExternalId(TransactionalWrite):
    """Set or remove the external id of an account in the directory, where it must be unique."""

    account_id: UUID
    external_id_hash: str | None


@dataclass(frozen=True)
class RemoveAccountFromDirectory(TransactionalWrite):
    """Remove an account from the directory, with its former e-mails."""

    account_id: UUID


@dataclass(frozen=True)
class RequireOpenAccount(TransactionalWrite):
    """Require that the account is open when the transaction commits. Otherwise raise `VersionConflict`."""

    account_id: UUID
