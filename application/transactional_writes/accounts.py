"""Writes of the account directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True)
class AddAccountToDirectory(TransactionalWrite):
    """Add an account to the directory under its e-mail and its external id, which must be unique there."""

    email_hash: str
    account_id: UUID
    external_id_hash: str | None = None


@dataclass(frozen=True)
class SetAccountExternalId(TransactionalWrite):
    """Set or remove the external id of an account in the directory, where it must be unique."""

    account_id: UUID
    external_id_hash: str | None


@dataclass(frozen=True)
class RemoveAccountFromDirectory(TransactionalWrite):
    """Remove an account from the directory."""

    account_id: UUID


@dataclass(frozen=True)
class RequireOpenAccount(TransactionalWrite):
    """Require that the account is open when the transaction commits. Otherwise raise `VersionConflict`."""

    account_id: UUID
