"""Events of an account's roles, and of the grants that give them to sub-users."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.event_metadata import Ciphertext
from domain.events import ocsf
from domain.events.base import Event
from domain.events.descriptor import EventDescriptor

PERMISSION_NAMES = "Names of permissions, separated by spaces."


class RoleCreated(Event):
    """A role of the account was created. `permissions` are names, separated by spaces."""

    TOPIC: ClassVar[str] = "RoleCreated"
    DESCRIPTOR = EventDescriptor(
        "main_account.role_created",
        "A role was created.",
        facts=("role_id", "permissions"),
        descriptions={"permissions": PERMISSION_NAMES},
        ocsf=ocsf.CREATE_ENTITY,
    )
    role_id: UUID
    name: Ciphertext
    description: Ciphertext
    permissions: str


class RoleChanged(Event):
    """A role's name, description or permissions changed. None means unchanged."""

    TOPIC: ClassVar[str] = "RoleChanged"
    DESCRIPTOR = EventDescriptor(
        "main_account.role_changed",
        "A role changed. `permissions` are its permissions now, absent if they are unchanged.",
        facts=("role_id", "permissions"),
        descriptions={"permissions": PERMISSION_NAMES},
        ocsf=ocsf.UPDATE_ENTITY,
    )
    role_id: UUID
    name: Ciphertext | None
    description: Ciphertext | None
    permissions: str | None


class RoleDeleted(Event):
    """An unused role was deleted."""

    TOPIC: ClassVar[str] = "RoleDeleted"
    DESCRIPTOR = EventDescriptor(
        "main_account.role_deleted",
        "A role was deleted.",
        facts=("role_id",),
        ocsf=ocsf.DELETE_ENTITY,
    )
    role_id: UUID


class RoleGranted(Event):
    """A sub-user got a role, on everything or on one resource."""

    TOPIC: ClassVar[str] = "RoleGranted"
    DESCRIPTOR = EventDescriptor(
        "sub_user.role_granted",
        "A sub-user got a role: on everything, or on one resource if there is a `resource_id`.",
        facts=("grant_id", "role_id", "resource_type", "resource_id", "expires_at"),
        ocsf=ocsf.ATTACH_POLICY,
    )
    sub_user_id: UUID
    grant_id: UUID
    role_id: UUID
    resource_type: str | None
    resource_id: str | None
    resource_label: Ciphertext | None
    expires_at: datetime | None


class RoleRevoked(Event):
    """A grant was revoked. Its fields repeat those of the grant."""

    TOPIC: ClassVar[str] = "RoleRevoked"
    DESCRIPTOR = EventDescriptor(
        "sub_user.role_revoked",
        "A role was taken from a sub-user: on everything, or on one resource if there is a `resource_id`.",
        facts=("grant_id", "role_id", "resource_type", "resource_id"),
        ocsf=ocsf.DETACH_POLICY,
    )
    sub_user_id: UUID
    grant_id: UUID
    role_id: UUID
    resource_type: str | None
    resource_id: str | None
