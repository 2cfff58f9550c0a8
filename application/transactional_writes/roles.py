"""Writes of roles, grants and the permission catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.transactional_writes.base import TransactionalWrite

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.event_metadata import Ciphertext


@dataclass(frozen=True)
class AddRole(TransactionalWrite):
    """Store the permissions of a new role."""

    role_id: UUID
    account_id: UUID
    permissions: list[str]


@dataclass(frozen=True)
class SetRolePermissions(TransactionalWrite):
    """Replace the permissions of a role."""

    role_id: UUID
    permissions: list[str]


@dataclass(frozen=True)
class RemoveRole(TransactionalWrite):
    """Remove a role."""

    role_id: UUID


@dataclass(frozen=True)
class RemoveRolesOfAccount(TransactionalWrite):
    """Remove all roles of an account."""

    account_id: UUID


@dataclass(frozen=True)
class AddGrant(TransactionalWrite):
    """Store a grant. `version` is that of its event. On everything, `resource_type` and `resource_id` are empty."""

    grant_id: UUID
    account_id: UUID
    sub_user_id: UUID
    role_id: UUID
    resource_type: str
    resource_id: str
    expires_at: datetime | None
    granted_at: datetime
    version: int
    encrypted_label: Ciphertext | None = None
    encrypted_reason: Ciphertext | None = None


@dataclass(frozen=True)
class RemoveGrant(TransactionalWrite):
    """Remove a grant."""

    grant_id: UUID


@dataclass(frozen=True)
class RemoveGrantsOfSubUser(TransactionalWrite):
    """Remove all grants of a sub-user."""

    sub_user_id: UUID


@dataclass(frozen=True)
class LockPermissionCatalogue(TransactionalWrite):
    """Lock the permission catalogue until the transaction ends, exclusively to change it."""

    exclusive: bool


@dataclass(frozen=True)
class RequireCatalogueRevision(TransactionalWrite):
    """Require that the locked permission catalogue has a revision. Otherwise raise `VersionConflict`."""

    catalogue_id: UUID
    revision: int


@dataclass(frozen=True)
class RequireUnusedPermissions(TransactionalWrite):
    """Require that no role has one of these permissions of the locked catalogue. Otherwise raise `VersionConflict`."""

    permissions: list[str]
