"""The roles that a sub-user has, as pages show them: role, resource, end and reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from api.console.current_user import visitor
from api.console.roles.role_texts import capitalized, resource_type_label, role_name
from api.http.authentication import service
from domain.sub_user import has_passed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from application.commands.access_control import GrantDetails


@dataclass(frozen=True)
class ResourceName:
    """A resource as pages show it: its type in words, its id, and the name for people that a grant gave it."""

    type: str
    id: str
    label: str | None = field(repr=False)

    @property
    def in_one_line(self) -> str:
        """The type, the name and the id."""
        return f"{self.type} {self.id if self.label is None else f'{self.label} ({self.id})'}"


@dataclass(frozen=True)
class ShownGrant:
    """A grant as pages show it. Without a resource, it is on everything."""

    grant_id: UUID
    role: str
    resource: ResourceName | None
    expires_at: datetime | None
    has_expired: bool
    granted_at: datetime
    reason: str | None = field(repr=False)


def find_grants(sub_user_id: UUID) -> Sequence[GrantDetails]:
    """Return the grants of a sub-user of the visitor's account."""
    return service().commands.grants.list(visitor().account_id, sub_user_id)


def shown_grants(grants: Sequence[GrantDetails]) -> list[ShownGrant]:
    """Return grants as pages show them: those in force first, and then oldest first."""
    now = service().clock()
    names = role_names()
    shown = [
        ShownGrant(
            grant_id=grant.grant_id,
            role=names.get(grant.role_id, str(grant.role_id)),
            resource=resource_name(grant),
            expires_at=grant.expires_at,
            has_expired=has_passed(grant.expires_at, now),
            granted_at=grant.granted_at,
            reason=grant.reason,
        )
        for grant in grants
    ]
    return sorted(shown, key=lambda grant: grant.has_expired)


def role_names() -> Mapping[UUID, str]:
    """Return the names of the roles of the visitor's account, by id."""
    return {role.role_id: role_name(role) for role in service().commands.roles.list(visitor().account_id)}


def resource_name(grant: GrantDetails) -> ResourceName | None:
    """Return the resource of a grant as pages show it, None for everything."""
    resource = grant.resource
    if resource is None:
        return None
    return ResourceName(capitalized(resource_type_label(resource.type)), resource.id, resource.label)
