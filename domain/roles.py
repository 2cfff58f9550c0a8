"""Roles, and the grants that give them to sub-users."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from domain.event_metadata import Ciphertext
    from domain.permission_catalogue import PermissionCatalogue

OPERATOR = UUID("5b5e9ac4-3c3b-5d0e-9a55-7b6a4b0f0a01")
"""Built-in role with every grantable permission, also those that are added to the catalogue later."""

VIEWER = UUID("5b5e9ac4-3c3b-5d0e-9a55-7b6a4b0f0a02")
"""Built-in role with the grantable permissions that only read."""

BUILT_IN_ROLES: Mapping[UUID, str] = {OPERATOR: "operator", VIEWER: "viewer"}
"""Names of the roles that every account has. They cannot be changed or deleted."""

MAX_ROLES = 50
"""Maximum number of an account's own roles."""

MAX_GRANTS = 1000
"""Maximum number of a sub-user's grants. Expired ones count until they are revoked."""


@dataclass(frozen=True)
class Role:
    """A role of one account, with encrypted texts."""

    role_id: UUID
    name: Ciphertext
    description: Ciphertext
    permissions: frozenset[str]


@dataclass(frozen=True)
class Resource:
    """A thing at the portal: its type as in the catalogue, and the portal's own id."""

    type: str
    id: str


@dataclass(frozen=True)
class Grant:
    """A role that a sub-user has: on everything (no resource) or on one resource, for good or until a time.

    `version` is that of the event in the account's stream that gave it.
    """

    grant_id: UUID
    sub_user_id: UUID
    role_id: UUID
    resource: Resource | None = None
    expires_at: datetime | None = None
    version: int = field(default=0, compare=False)

    def is_in_force(self, at: datetime) -> bool:
        """Return whether the grant has not expired at a time."""
        return self.expires_at is None or self.expires_at > at

    def covers(self, resource: Resource | None) -> bool:
        """Return whether the grant applies to a resource, or to the account as a whole (None)."""
        return self.resource is None or self.resource == resource


def default_grant(sub_user_id: UUID, version: int) -> Grant:
    """Return the grant that a new sub-user has: Operator on everything. `version` is that of their creation."""
    return Grant(sub_user_id, sub_user_id, OPERATOR, version=version)


def permissions_of_role(
    role_id: UUID, catalogue: PermissionCatalogue, own_permissions: frozenset[str] | None
) -> frozenset[str]:
    """Return the permissions of a role. `own_permissions` are those of an account's own role, None if it is deleted."""
    if role_id == OPERATOR:
        return catalogue.operator_permissions
    if role_id == VIEWER:
        return catalogue.viewer_permissions
    return (own_permissions or frozenset()) & catalogue.operator_permissions
