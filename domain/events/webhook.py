"""Events of a webhook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate, DomainEvent

from domain.event_metadata import ActorType, Ciphertext
from domain.events import ocsf
from domain.events.descriptor import EventDescriptor


@dataclass(frozen=True)
class WebhookEvent(CanMutateAggregate[UUID], DomainEvent):
    """Base class of events of a webhook. Each webhook has its own stream; without an account it covers all accounts."""

    TOPIC: ClassVar[str]
    DESCRIPTOR: ClassVar[EventDescriptor]
    webhook_id: UUID
    account_id: UUID | None
    actor_type: ActorType
    actor_id: str | None
    request_id: str | None
    ip: Ciphertext | None
    user_agent: Ciphertext | None
    reason: Ciphertext | None
    actor_api_key_id: str | None
    actor_person: Ciphertext | None

    @property
    def subject_id(self) -> None:
        """None: the event is not about a sub-user."""

    def key_owner_id(self, field: str) -> UUID:  # noqa: ARG002  # the same for every field
        """Return the id of the account's owner. Without an account no field is encrypted, and the id has no key."""
        return self.account_id or self.webhook_id


@dataclass(frozen=True)
class WebhookCreated(WebhookEvent):
    """A webhook was created."""

    TOPIC: ClassVar[str] = "WebhookCreated"
    DESCRIPTOR = EventDescriptor(
        "webhook.created",
        "A webhook was created. Its receiver gets the events from here on.",
        facts=("webhook_id",),
        ocsf=ocsf.CREATE_ENTITY,
    )


@dataclass(frozen=True)
class WebhookDisabled(WebhookEvent):
    """A webhook was disabled because of `why`. Undelivered events stay available for a replay."""

    TOPIC: ClassVar[str] = "WebhookDisabled"
    DESCRIPTOR = EventDescriptor(
        "webhook.disabled",
        "A webhook was disabled: its receiver is gone or fails, or its API key has expired or was revoked. "
        "Nothing is sent until it is enabled.",
        facts=("webhook_id", "why", "failures"),
        examples={"why": ("gone", "failing", "key_revoked", "key_expired")},
        ocsf=ocsf.DISABLE_ENTITY,
    )
    why: str
    failures: int


@dataclass(frozen=True)
class WebhookEnabled(WebhookEvent):
    """A disabled webhook was enabled again."""

    TOPIC: ClassVar[str] = "WebhookEnabled"
    DESCRIPTOR = EventDescriptor(
        "webhook.enabled",
        "A disabled webhook was enabled. Its receiver gets events again.",
        facts=("webhook_id",),
        ocsf=ocsf.ENABLE_ENTITY,
    )


@dataclass(frozen=True)
class WebhookDeleted(WebhookEvent):
    """A webhook was deleted permanently."""

    TOPIC: ClassVar[str] = "WebhookDeleted"
    DESCRIPTOR = EventDescriptor(
        "webhook.deleted",
        "A webhook was deleted permanently.",
        facts=("webhook_id",),
        ocsf=ocsf.DELETE_ENTITY,
    )


@dataclass(frozen=True)
class WebhookSecretRotated(WebhookEvent):
    """A webhook received a new signing key. The former keys also sign for 24 more hours."""

    TOPIC: ClassVar[str] = "WebhookSecretRotated"
    DESCRIPTOR = EventDescriptor(
        "webhook.secret_rotated",
        "A webhook's signing key was rotated. Messages are also signed with the former key for one day.",
        facts=("webhook_id",),
        ocsf=ocsf.UPDATE_ENTITY,
    )


@dataclass(frozen=True)
class WebhookReplayed(WebhookEvent):
    """A webhook was set to continue immediately after the position `after`."""

    TOPIC: ClassVar[str] = "WebhookReplayed"
    DESCRIPTOR = EventDescriptor(
        "webhook.replayed",
        "A webhook was set to continue after the position `after`, at once.",
        facts=("webhook_id", "after"),
    )
    after: int


@dataclass(frozen=True)
class WebhookAdopted(WebhookEvent):
    """A webhook was assigned to an API key. Before, it belonged to `former_api_key_id`, or to no key."""

    TOPIC: ClassVar[str] = "WebhookAdopted"
    DESCRIPTOR = EventDescriptor(
        "webhook.adopted",
        "A webhook was handed over to another API key. It is disabled when that key ends.",
        facts=("webhook_id", "api_key_id", "former_api_key_id"),
        ocsf=ocsf.UPDATE_ENTITY,
    )
    api_key_id: UUID
    former_api_key_id: UUID | None
