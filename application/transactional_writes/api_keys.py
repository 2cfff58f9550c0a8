"""Writes of API keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class AddApiKey(TransactionalWrite):
    """Add an API key. Only the SHA-256 hash of its secret is stored."""

    api_key_id: UUID
    name: str
    scope: str
    key_hash: bytes = field(repr=False)
    created_at: datetime
    version: int
    expires_at: datetime | None
    allowed_addresses: list[str] | None
    accounts: list[UUID] | None


@dataclass(frozen=True)
class SetApiKeyLimits(TransactionalWrite):
    """Replace the limits of an API key, as of its event with this version."""

    api_key_id: UUID
    version: int
    expires_at: datetime | None
    allowed_addresses: list[str] | None
    accounts: list[UUID] | None


@dataclass(frozen=True)
class RecordApiKeyUse(TransactionalWrite):
    """Record the first use of an API key, as of its event with this version."""

    api_key_id: UUID
    version: int
    at: datetime


@dataclass(frozen=True)
class RevokeApiKey(TransactionalWrite):
    """Revoke an API key, as of its event with this version."""

    api_key_id: UUID
    version: int
    at: datetime


@dataclass(frozen=True)
class RequireActiveApiKey(TransactionalWrite):
    """Require that the API key is active when the transaction commits. Otherwise raise `VersionConflict`."""

    api_key_id: UUID
    at: datetime


@dataclass(frozen=True)
class RequireNoActiveWebhook(TransactionalWrite):
    """Require that no active webhook belongs to the API key. Otherwise raise `VersionConflict`."""

    api_key_id: UUID
