"""Events of what the portal defines for the whole installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate, DomainEvent

from domain.event_metadata import ActorType, Ciphertext
from domain.events import ocsf
from domain.events.descriptor import EventDescriptor


@dataclass(frozen=True)
class InstallationEvent(CanMutateAggregate[UUID], DomainEvent):
    """Base class of events about the whole installation, whose streams belong to no account.

    `ip` and `user_agent` are always None: without an account there is no data key to encrypt them with.
    """

    TOPIC: ClassVar[str]
    DESCRIPTOR: ClassVar[EventDescriptor]
    actor_type: ActorType
    actor_id: str | None
    request_id: str | None
    ip: Ciphertext | None
    user_agent: Ciphertext | None
    actor_api_key_id: str | None

    @property
    def account_id(self) -> None:
        """None: the event concerns the whole installation."""

    @property
    def subject_id(self) -> None:
        """None: the event is not about a sub-user."""

    def key_owner_id(self, field: str) -> UUID:  # noqa: ARG002  # no field is encrypted
        """Return an id that has no data key."""
        return self.originator_id


@dataclass(frozen=True)
class PermissionCatalogueSet(InstallationEvent):
    """The portal replaced the permission catalogue. Its version in the stream is the revision of the catalogue.

    `permissions` are the names, separated by spaces. `definitions` is a JSON array with the complete permissions.
    """

    TOPIC: ClassVar[str] = "PermissionCatalogueSet"
    DESCRIPTOR = EventDescriptor(
        "permission_catalogue.set",
        "The permission catalogue was replaced. `permissions` are the names of all permissions now.",
        facts=("permissions",),
        descriptions={"permissions": "Names of permissions, separated by spaces."},
        ocsf=ocsf.UPDATE_ENTITY,
    )
    permissions: str
    definitions: str


@dataclass(frozen=True)
class ActivityTypesSet(InstallationEvent):
    """The portal replaced the types of its activities. Its version in the stream is their revision.

    `actions` are the registered actions, separated by spaces. `definitions` is a JSON object with the complete types
    and groups.
    """

    TOPIC: ClassVar[str] = "ActivityTypesSet"
    DESCRIPTOR = EventDescriptor(
        "activity_types.set",
        "The types of the portal's activities were replaced. `actions` are all actions that have a name now.",
        facts=("actions",),
        descriptions={"actions": "Actions of activities, separated by spaces."},
        ocsf=ocsf.UPDATE_ENTITY,
    )
    actions: str
    definitions: str
