"""The decision whether a sub-user may do something. Every check, search and report of access uses it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.assurance_level import AssuranceLevel
from domain.roles import Grant, Resource, permissions_of_role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from domain.permission_catalogue import PermissionCatalogue


class Missing(StrEnum):
    """What a refused request lacks."""

    ACCESS = "access"
    """An open account, and a sub-user who is active and whose access has not expired."""
    OWN_PASSWORD = "own_password"
    """A session that was opened with a password of the sub-user's own choice."""
    SECOND_FACTOR = "second_factor"
    """A session that proved a second factor."""
    PERMISSION = "permission"
    """The permission: the catalogue does not have it."""
    OWNER = "owner"
    """The account's owner: the permission is reserved for them."""
    RESOURCE_TYPE = "resource_type"
    """A resource of the permission's type."""
    GRANT = "grant"
    """A grant in force that covers the permission and the resource."""


@dataclass(frozen=True)
class Question:
    """A permission, and the resource that it is needed for: None is the account as a whole."""

    permission: str
    resource: Resource | None = None


@dataclass(frozen=True)
class Decision:
    """Decision on a question: the grant that allows it, or the missing part.

    The permission of an allowed question `needs_second_factor` if only sessions that proved one have it.
    """

    grant: Grant | None = None
    missing: Missing | None = None
    needs_second_factor: bool = False

    @property
    def is_allowed(self) -> bool:
        """Return whether a grant allows it."""
        return self.grant is not None


@dataclass(frozen=True)
class AccessRules:
    """The catalogue and the permissions of an account's own roles, at one time.

    `level` is the assurance level of the session that asks. A question about a person, rather than a session, is
    answered as for a session of the highest level.
    """

    catalogue: PermissionCatalogue
    role_permissions: Mapping[UUID, frozenset[str]]
    level: AssuranceLevel = AssuranceLevel.SECOND_FACTOR

    def decide(self, question: Question, grants: Iterable[Grant], at: datetime) -> Decision:
        """Decide by the grants of one sub-user who has access. There are no rules that deny.

        A grant on one resource allows nothing on the account as a whole, and only permissions of the resource's type.
        """
        permission = self.catalogue.by_name.get(question.permission)
        if permission is None:
            return Decision(missing=Missing.PERMISSION)
        if permission.reserved:
            return Decision(missing=Missing.OWNER)
        if question.resource is not None and question.resource.type != permission.resource_type:
            return Decision(missing=Missing.RESOURCE_TYPE)
        allowing = [
            grant
            for grant in grants
            if grant.is_in_force(at)
            and grant.covers(question.resource)
            and permission.name in self.permissions_of(grant.role_id)
        ]
        if not allowing:
            return Decision(missing=Missing.GRANT)
        if not self.level.meets(permission.required_level):
            return Decision(missing=Missing.SECOND_FACTOR)
        return Decision(min(allowing, key=_by_scope), needs_second_factor=permission.needs_second_factor)

    def decide_each(self, questions: Iterable[Question], grants: Iterable[Grant], at: datetime) -> list[Decision]:
        """Decide several questions about one sub-user, each by the grants on everything and on its resource."""
        by_resource: defaultdict[Resource | None, list[Grant]] = defaultdict(list)
        for grant in grants:
            by_resource[grant.resource].append(grant)
        on_everything = by_resource[None]
        return [
            self.decide(
                question,
                on_everything if question.resource is None else [*on_everything, *by_resource[question.resource]],
                at,
            )
            for question in questions
        ]

    def permissions_on_everything(self, grants: Iterable[Grant], at: datetime) -> tuple[str, ...]:
        """Return the permissions that are allowed on every resource at this level, in display order."""
        role_ids = {grant.role_id for grant in grants if grant.resource is None and grant.is_in_force(at)}
        allowed: frozenset[str] = frozenset().union(*map(self.permissions_of, role_ids))
        return tuple(
            name
            for name in self.catalogue.grantable
            if name in allowed and self.level.meets(self.catalogue.by_name[name].required_level)
        )

    def permissions_of(self, role_id: UUID) -> frozenset[str]:
        """Return the permissions of a role."""
        return permissions_of_role(role_id, self.catalogue, self.role_permissions.get(role_id))


def _by_scope(grant: Grant) -> tuple[bool, bool, str]:
    """Sort key by which the grant that is reported is the widest and longest of those that allow something."""
    return grant.resource is not None, grant.expires_at is not None, str(grant.grant_id)
