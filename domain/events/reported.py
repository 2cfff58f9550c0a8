"""Events that the portal reports about a sub-user: activities and usage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate, DomainEvent

from domain.event_metadata import Ciphertext
from domain.events import ocsf
from domain.events.descriptor import EventDescriptor


@dataclass(frozen=True)  # the library's metaclass does this too, but type checkers do not know
class ReportedEvent(CanMutateAggregate[UUID], DomainEvent):
    """Base class of reports by the portal about a sub-user. Each has its own stream, so it never conflicts."""

    TOPIC: ClassVar[str]
    DESCRIPTOR: ClassVar[EventDescriptor]
    account_id: UUID
    sub_user_id: UUID

    def key_owner_id(self, field: str) -> UUID:  # noqa: ARG002  # the same for every field
        """Return the id of the person whose key encrypts a field: the sub-user."""
        return self.sub_user_id


@dataclass(frozen=True)
class SubUserActivityRecorded(ReportedEvent):
    """The portal reported an action of a sub-user."""

    TOPIC: ClassVar[str] = "SubUserActivityRecorded"
    DESCRIPTOR = EventDescriptor(
        "sub_user.activity_recorded",
        "The portal reported an activity of a sub-user.",
        facts=("action", "occurred_at"),
        ocsf=ocsf.REPORTED,
        has_own_action=False,
    )
    action: str
    target: Ciphertext | None
    details: Ciphertext | None
    occurred_at: datetime
    request_id: str | None
    ip: Ciphertext | None
    user_agent: Ciphertext | None
    reason: Ciphertext | None
    actor_api_key_id: str | None
    actor_person: Ciphertext | None


@dataclass(frozen=True)
class UsageRecorded(ReportedEvent):
    """The portal reported a sub-user's usage of the account's plan."""

    TOPIC: ClassVar[str] = "UsageRecorded"
    DESCRIPTOR = EventDescriptor(
        "sub_user.usage_recorded",
        "The portal reported a sub-user's usage: milliseconds of conversation, and tokens of language models.",
        facts=("conversation_ms", "llm_tokens", "occurred_at"),
    )
    conversation_ms: int
    llm_tokens: int
    occurred_at: datetime
    request_id: str | None
    ip: Ciphertext | None
    user_agent: Ciphertext | None
    reason: Ciphertext | None
    actor_api_key_id: str | None
    actor_person: Ciphertext | None
