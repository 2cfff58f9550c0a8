"""A webhook, its keys and its deliveries."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

SLOW_MILLISECONDS = 2000
"""Duration above which an attempt, and until the next attempt its webhook, counts as slow."""


class SignatureAlgorithm(StrEnum):
    """Signature algorithm of a webhook: a shared secret (HMAC), or a private key of this service (Ed25519)."""

    HMAC = "hmac"
    ED25519 = "ed25519"


class DisableReason(StrEnum):
    """Reason why a webhook is disabled."""

    GONE = "gone"
    FAILING = "failing"
    KEY_REVOKED = "key_revoked"
    KEY_EXPIRED = "key_expired"


@dataclass(frozen=True)
class Webhook:
    """A webhook. `position` is the position of the last delivered or skipped event.

    A webhook is disabled when its API key expires, or is revoked without handing it over. Webhooks from early releases
    belong to no key.
    """

    webhook_id: UUID
    account_id: UUID | None
    api_key_id: UUID | None
    url: str = field(repr=False)
    event_types: list[str] | None
    description: str | None = field(repr=False)
    signature_algorithm: SignatureAlgorithm
    created_at: datetime
    position: int
    failures: int
    due_at: datetime
    disabled_at: datetime | None
    disabled_reason: DisableReason | None
    version: int
    slow: bool

    @property
    def status(self) -> str:
        """`active` if events are sent to the webhook, else `disabled`."""
        return "active" if self.disabled_at is None else "disabled"

    @property
    def next_attempt_at(self) -> datetime | None:
        """The time of the next attempt to deliver a failed event, if any."""
        return self.due_at if self.failures and self.disabled_at is None else None


@dataclass(frozen=True)
class NewWebhook:
    """Properties of a new webhook. Without `after` it starts with the next recorded event."""

    url: str = field(repr=False)
    account_id: UUID | None = None
    api_key_id: UUID | None = None
    event_types: list[str] | None = None
    description: str | None = field(default=None, repr=False)
    signature_algorithm: SignatureAlgorithm = SignatureAlgorithm.HMAC
    after: int | None = None


@dataclass(frozen=True)
class NewKey:
    """Signing secret of a webhook, and the key that its receiver verifies signatures with."""

    secret: bytes = field(repr=False)
    receiver_key: str = field(repr=False)


@dataclass(frozen=True)
class Delivery:
    """One attempt to deliver an event, with the status of the response or an error."""

    event_id: str
    type: str
    position: int
    attempt: int
    attempted_at: datetime
    status: int | None
    error: str | None
    milliseconds: int

    @property
    def is_slow(self) -> bool:
        """Whether the attempt was so slow that the next one must use a slot for slow webhooks."""
        return self.milliseconds > SLOW_MILLISECONDS
