"""Events that record accesses to the audit log and the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate, DomainEvent

from domain.event_metadata import ActorType, Ciphertext, ReadTarget
from domain.events import ocsf
from domain.events.descriptor import EventDescriptor


@dataclass(frozen=True)
class AuditEvent(CanMutateAggregate[UUID], DomainEvent):
    """Base class of events about accesses. Each event has its own stream. Without an account it is about all accounts.

    `sub_user_id`, `wanted_action`, `wanted_actor_type`, `wanted_actor_id`, `since` and `until` are the filters of the
    request. Several wanted actions are separated by commas.
    """

    TOPIC: ClassVar[str]
    DESCRIPTOR: ClassVar[EventDescriptor]
    account_id: UUID | None
    sub_user_id: UUID | None
    actor_type: ActorType
    actor_id: str | None
    request_id: str | None
    ip: Ciphertext | None
    user_agent: Ciphertext | None
    reason: Ciphertext | None
    actor_api_key_id: str | None
    actor_person: Ciphertext | None
    wanted_action: str | None
    since: datetime | None
    until: datetime | None
    wanted_actor_type: str | None
    wanted_actor_id: str | None

    @property
    def subject_id(self) -> UUID | None:
        """The sub-user to which the request was limited, if any."""
        return self.sub_user_id

    def key_owner_id(self, field: str) -> UUID:  # noqa: ARG002  # the same for every field
        """Return the id of the account's owner. Without an account no field is encrypted, and the id has no key."""
        return self.account_id or self.originator_id


@dataclass(frozen=True)
class AuditLogRead(AuditEvent):
    """Someone other than the owner read the audit log or the history; one event covers up to five minutes."""

    TOPIC: ClassVar[str] = "AuditLogRead"
    DESCRIPTOR = EventDescriptor(
        "audit_log.read",
        "An account's audit log or history was read by someone other than its owner. "
        "The subject, the times and `as_of` are the filters of the request.",
        facts=("what", "since", "until", "as_of"),
        ocsf=ocsf.READ_ENTITY,
    )
    what: ReadTarget
    as_of: datetime | None


@dataclass(frozen=True)
class AuditLogExported(AuditEvent):
    """Someone exported the recorded events after the position `after`."""

    TOPIC: ClassVar[str] = "AuditLogExported"
    DESCRIPTOR = EventDescriptor(
        "audit_log.exported",
        "Events after the position `after` were exported: of one account, or of all if there is no `accountid`.",
        facts=("format", "after", "since", "until"),
        examples={"format": ("jsonl", "csv", "ocsf", "ndjson", "parquet", "evidence")},
        ocsf=ocsf.READ_ENTITY,
    )
    format: str
    after: int
