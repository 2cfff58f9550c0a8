"""Permissions, roles, grants and checks: arguments and results of requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Permission:
    """A permission of the catalogue.

    It applies to resources of `resource_type`, or to the account as a whole (None). No role contains a `reserved` one.
    The built-in role Viewer has those with `reading`. `labels` are names for people, by language (`en`, `it`).
    Only sessions that have verified a second factor have one that `needs_second_factor`.
    """

    name: str
    resource_type: str | None = None
    reserved: bool = False
    reading: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    needs_second_factor: bool = False


@dataclass(frozen=True, kw_only=True)
class PermissionCatalogue:
    """All permissions, in display order. `revision` is the value for `if_revision`."""

    revision: int
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role of an account. `built_in` is `operator`, `viewer`, or None for one of the account's own.

    `holders` is the number of sub-users who have it.
    """

    role_id: UUID
    name: str
    description: str
    permissions: tuple[str, ...]
    built_in: str | None
    holders: int


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A thing at your portal: its type as in the permission catalogue, and your own id.

    `label` is its name for people. It counts only in grants.
    """

    type: str
    id: str
    label: str | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class NewGrant:
    """A role to give to a sub-user: on everything (no resource) or on one resource, for good or until a time."""

    role_id: UUID | str
    resource: Resource | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A role that a sub-user has. One that has expired allows nothing."""

    grant_id: UUID
    role_id: UUID
    resource: Resource | None
    expires_at: datetime | None
    granted_at: datetime
    reason: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Check:
    """A permission to check, on one resource, or on everything. `id` is returned with the result."""

    permission: str
    resource: Resource | None = None
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Because:
    """Why something is allowed (the grant and its role), or what is `missing`."""

    role_id: UUID | None = None
    grant_id: UUID | None = None
    missing: str | None = None


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The answer to a `Check`."""

    permission: str
    resource: Resource | None
    allowed: bool
    because: Because
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class AllowedResources:
    """The resources of a permission's type that somebody may act on: all of them, or `items`."""

    all: bool
    items: tuple[Resource, ...]

    def __contains__(self, resource_id: str) -> bool:
        return self.all or any(resource.id == resource_id for resource in self.items)


@dataclass(frozen=True, kw_only=True)
class ResourcePage(AllowedResources):
    """A page of resources. `next_cursor` is None on the last page."""

    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A sub-user who may do something, and the grant that allows it. `position` is that of its event."""

    sub_user_id: UUID
    role_id: UUID
    grant_id: UUID
    resource: Resource | None
    expires_at: datetime | None
    position: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A question to AuthZEN: whether a sub-user may do something with a resource."""

    sub_user_id: UUID | str
    permission: str
    resource: Resource


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The answer to an `Evaluation`. `because.missing` is None too if the question was not valid."""

    allowed: bool = field(metadata={"json": "decision"})
    because: Because = field(default_factory=Because, metadata={"json": "context"})


def account_as_a_whole(account_id: UUID | str) -> Resource:
    """Return the resource that stands for an account as a whole in AuthZEN."""
    return Resource(type="account", id=str(account_id))


def reference_to(resource: Resource | None) -> dict[str, str] | None:
    """Return a resource as requests that check it have it, without a label."""
    return None if resource is None else {"type": resource.type, "id": resource.id}


def grant_body(grant: NewGrant) -> dict[str, Any]:
    """Return a grant as requests have it."""
    resource = grant.resource
    label = {} if resource is None or resource.label is None else {"label": resource.label}
    return {
        "role_id": grant.role_id,
        "resource": None if resource is None else {"type": resource.type, "id": resource.id, **label},
        "expires_at": grant.expires_at,
    }
