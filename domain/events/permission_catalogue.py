"""Events of the permission catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate, DomainEvent

from domain.event_metadata import ActorType, Ciphertext
from domain.events import ocsf
from domain.events.descriptor import EventDescriptor


@dataclass(frozen=True)
class PermissionCatalogueEvent(CanMutateAggregate[UUID], DomainEvent):
    """Base class of events of the permission catalogue. Its one stream belongs to no account.

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
        """None: the catalogue is that of the installation."""

    @property
    def subject_id(self) -> None:
        """None: the event is not about a sub-user."""

    def key_owner_id(self, field: str) -> UUID:  # noqa: ARG002  # no field is encrypted
        """Return an id that has no data key."""
        return self.originator_id


@dataclass(frozen=True)
class PermissionCatalogueSet(PermissionCatalogueEvent):
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
