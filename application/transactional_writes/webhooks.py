"""Writes of webhooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class AddWebhook(TransactionalWrite):
    """Add a webhook. A master key encrypts its URL and description."""

    webhook_id: UUID
    account_id: UUID | None
    api_key_id: UUID | None
    slot: int
    types: list[str] | None
    signature: str
    master_key_id: str
    encrypted_details: bytes = field(repr=False)
    position: int
    created_at: datetime


@dataclass(frozen=True)
class AddWebhookSecret(TransactionalWrite):
    """Add a signing secret to a webhook, and let the former ones expire at `former_expire_at`."""

    webhook_id: UUID
    master_key_id: str
    encrypted_secret: bytes = field(repr=False)
    created_at: datetime
    former_expire_at: datetime


@dataclass(frozen=True)
class DisableWebhook(TransactionalWrite):
    """Disable a webhook, as of its event with this version."""

    webhook_id: UUID
    version: int
    why: str
    at: datetime


@dataclass(frozen=True)
class EnableWebhook(TransactionalWrite):
    """Enable a webhook again after a position, as of its event with this version."""

    webhook_id: UUID
    version: int
    position: int
    at: datetime


@dataclass(frozen=True)
class SetWebhookVersion(TransactionalWrite):
    """Set the stream version of a webhook, as of an event that changes nothing else in its row."""

    webhook_id: UUID
    version: int


@dataclass(frozen=True)
class AssignWebhook(TransactionalWrite):
    """Assign a webhook to an API key, as of its event with this version."""

    webhook_id: UUID
    version: int
    api_key_id: UUID


@dataclass(frozen=True)
class ReplayWebhook(TransactionalWrite):
    """Let a webhook continue after another position, as of its event with this version."""

    webhook_id: UUID
    version: int
    position: int
    at: datetime


@dataclass(frozen=True)
class RemoveWebhook(TransactionalWrite):
    """Delete a webhook with its secrets and its delivery log."""

    webhook_id: UUID


@dataclass(frozen=True)
class RemoveAccountWebhooks(TransactionalWrite):
    """Delete all webhooks of an account with their secrets and delivery logs."""

    account_id: UUID
