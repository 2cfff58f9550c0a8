"""Base class of events in the stream of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eventsourcing.domain import Aggregate

from domain.event_metadata import ActorType, Ciphertext
from domain.events.descriptor import EventDescriptor

if TYPE_CHECKING:
    from uuid import UUID

METADATA_FIELDS = frozenset({"ip", "user_agent", "reason", "actor_person"})
"""Encrypted metadata fields. All other encrypted fields are about the subject of the event."""


class Event(Aggregate.Event):
    """Base class of events in an account's stream, with the fields of `domain.event_metadata.EventMetadata`."""

    TOPIC: ClassVar[str]
    DESCRIPTOR: ClassVar[EventDescriptor]
    actor_type: ActorType
    actor_id: str | None
    request_id: str | None
    ip: Ciphertext | None
    user_agent: Ciphertext | None
    reason: Ciphertext | None
    actor_api_key_id: str | None
    actor_person: Ciphertext | None

    @property
    def account_id(self) -> UUID:
        """The main account to which the event belongs."""
        return self.originator_id

    @property
    def subject_id(self) -> UUID | None:
        """The sub-user that the event is about, if any."""
        sub_user_id: UUID | None = getattr(self, "sub_user_id", None)
        return sub_user_id

    def key_owner_id(self, field: str) -> UUID:
        """Return the id of the person whose data key encrypts a field: the event's sub-user, or the account's owner.

        Fields about a sub-user have the sub-user's key. Metadata has it only if the sub-user acted, or an anonymous
        client tried to log in as them.
        """
        if self.subject_id is None:
            return self.account_id
        # All other actors, also of support, act for the owner.
        if field in METADATA_FIELDS and self.actor_type not in {ActorType.SUB_USER, ActorType.ANONYMOUS}:
            return self.account_id
        return self.subject_id
