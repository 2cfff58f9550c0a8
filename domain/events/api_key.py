"""Events of an API key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate, DomainEvent

from domain.event_metadata import ActorType, Ciphertext
from domain.events import ocsf
from domain.events.descriptor import EventDescriptor

LIMIT_DESCRIPTIONS = {
    "allowed_addresses": "Networks in CIDR notation, separated by spaces.",
    "accounts": "Account ids, separated by spaces.",
}


@dataclass(frozen=True)
class ApiKeyEvent(CanMutateAggregate[UUID], DomainEvent):
    """Base class of events of an API key. Each key has its own stream, which belongs to no account.

    `ip` and `user_agent` are always None: without an account there is no data key to encrypt them with.
    """

    TOPIC: ClassVar[str]
    DESCRIPTOR: ClassVar[EventDescriptor]
    api_key_id: UUID
    actor_type: ActorType
    actor_id: str | None
    request_id: str | None
    ip: Ciphertext | None
    user_agent: Ciphertext | None

    @property
    def account_id(self) -> None:
        """None: an API key belongs to no account."""

    @property
    def subject_id(self) -> None:
        """None: the event is not about a sub-user."""

    def key_owner_id(self, field: str) -> UUID:  # noqa: ARG002  # no field is encrypted
        """Return an id that has no data key."""
        return self.api_key_id


@dataclass(frozen=True)
class ApiKeyCreated(ApiKeyEvent):
    """An API key was created. Allowed networks and accounts are separated by spaces; None means unlimited."""

    TOPIC: ClassVar[str] = "ApiKeyCreated"
    DESCRIPTOR = EventDescriptor(
        "api_key.created",
        "An API key was created. It is valid until `expires_at`, from these networks, and for these accounts.",
        facts=("api_key_id", "scope", "expires_at", "allowed_addresses", "accounts"),
        descriptions=LIMIT_DESCRIPTIONS,
        ocsf=ocsf.CREATE_ENTITY,
    )
    scope: str
    expires_at: datetime | None
    allowed_addresses: str | None
    accounts: str | None


@dataclass(frozen=True)
class ApiKeyLimitsChanged(ApiKeyEvent):
    """The limits of an API key changed. The event has all of them, as in `ApiKeyCreated`."""

    TOPIC: ClassVar[str] = "ApiKeyLimitsChanged"
    DESCRIPTOR = EventDescriptor(
        "api_key.limits_changed",
        "The limits of an API key changed. These are all its limits from now on.",
        facts=("api_key_id", "expires_at", "allowed_addresses", "accounts"),
        descriptions=LIMIT_DESCRIPTIONS,
        ocsf=ocsf.UPDATE_ENTITY,
    )
    expires_at: datetime | None
    allowed_addresses: str | None
    accounts: str | None


@dataclass(frozen=True)
class ApiKeyFirstUsed(ApiKeyEvent):
    """An API key was used for the first time."""

    TOPIC: ClassVar[str] = "ApiKeyFirstUsed"
    DESCRIPTOR = EventDescriptor(
        "api_key.first_used",
        "An API key was used for the first time.",
        facts=("api_key_id",),
    )


@dataclass(frozen=True)
class ApiKeyRevoked(ApiKeyEvent):
    """An API key was revoked, and its active webhooks were disabled or handed over to another key."""

    TOPIC: ClassVar[str] = "ApiKeyRevoked"
    DESCRIPTOR = EventDescriptor(
        "api_key.revoked",
        "An API key was revoked, and the webhooks that belonged to it were disabled or handed over.",
        facts=("api_key_id", "webhooks_disabled", "webhooks_handed_over"),
        ocsf=ocsf.DELETE_ENTITY,
    )
    webhooks_disabled: int
    webhooks_handed_over: int
