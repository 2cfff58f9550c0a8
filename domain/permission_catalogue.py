"""Permission catalogue of the installation: the permissions that the portal checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from domain.assurance_level import AssuranceLevel

if TYPE_CHECKING:
    from collections.abc import Mapping

CATALOGUE_ID = UUID("5b5e9ac4-3c3b-5d0e-9a55-7b6a4b0f0a00")
"""Id of the stream. The revision of the catalogue is the version of the stream."""

MAX_PERMISSIONS = 200
MAX_NAME_LENGTH = 64

ACCOUNT = "account"
"""Resource type that stands for an account as a whole. No permission may have it."""


@dataclass(frozen=True)
class Permission:
    """A permission that the portal checks.

    It applies to resources of `resource_type`, or to the account as a whole (None). Only the account's owner has a
    `reserved` permission: no role contains it. A `reading` one changes nothing. A session needs a second factor for one
    that `needs_second_factor`. `labels` are its names for people, by language.
    """

    name: str
    resource_type: str | None = None
    reserved: bool = False
    reading: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    needs_second_factor: bool = False

    @property
    def required_level(self) -> AssuranceLevel:
        """The assurance level that a session needs for it."""
        return AssuranceLevel.SECOND_FACTOR if self.needs_second_factor else AssuranceLevel.PASSWORD


@dataclass(frozen=True)
class PermissionCatalogue:
    """All permissions in display order. `revision` counts the changes; the catalogue of a revision never changes."""

    revision: int
    permissions: tuple[Permission, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Permission]:
        """Return the permissions by name."""
        return {permission.name: permission for permission in self.permissions}

    @cached_property
    def grantable(self) -> tuple[str, ...]:
        """Return the names of the permissions that a role may contain, in display order."""
        return tuple(permission.name for permission in self.permissions if not permission.reserved)

    @cached_property
    def operator_permissions(self) -> frozenset[str]:
        """Return the permissions of the built-in role Operator: all grantable ones."""
        return frozenset(self.grantable)

    @cached_property
    def viewer_permissions(self) -> frozenset[str]:
        """Return the permissions of the built-in role Viewer: the grantable ones that change nothing."""
        return frozenset(
            permission.name for permission in self.permissions if permission.reading and not permission.reserved
        )

    @cached_property
    def resource_types(self) -> frozenset[str]:
        """Return the types of the resources that permissions apply to."""
        return frozenset(
            permission.resource_type for permission in self.permissions if permission.resource_type is not None
        )


INITIAL_CATALOGUE = PermissionCatalogue(
    0,
    (
        Permission(
            "assistants",
            "assistant",
            labels={"en": "Work with voice assistants", "it": "Lavorare con gli assistenti vocali"},
        ),
        Permission(
            "tools", "tool", labels={"en": "Work with the assistants' tools", "it": "Lavorare con i loro strumenti"}
        ),
        Permission(
            "rag_collections",
            "rag_collection",
            labels={
                "en": "Work with RAG collections, the documents that assistants use",
                "it": "Lavorare con le collezioni RAG, i documenti a cui attingono gli assistenti",
            },
        ),
        Permission("statistics", reading=True, labels={"en": "See statistics", "it": "Consultare le statistiche"}),
        Permission("reports", reading=True, labels={"en": "See reports", "it": "Consultare i report"}),
        Permission("sub_user_management", reserved=True, labels={"en": "Manage sub-users", "it": "Gestire i sub-user"}),
        Permission(
            "complete_logs", reserved=True, labels={"en": "See the complete logs", "it": "Consultare i log completi"}
        ),
        Permission(
            "billing_settings",
            reserved=True,
            labels={
                "en": "Change the plan and the billing settings",
                "it": "Modificare il piano e le impostazioni di fatturazione",
            },
        ),
        Permission(
            "account_data",
            reserved=True,
            labels={"en": "Change the account's details", "it": "Modificare i dati dell'account"},
        ),
    ),
)
"""Catalogue until the portal sets another one."""
