"""Catalog of portal permissions, for sub-users and for the main account only."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.assurance_level import AssuranceLevel


class Permission(StrEnum):
    """Permissions that the portal checks."""

    ASSISTANTS = "assistants"
    TOOLS = "tools"
    RAG_COLLECTIONS = "rag_collections"
    STATISTICS = "statistics"
    REPORTS = "reports"
    SUB_USER_MANAGEMENT = "sub_user_management"
    COMPLETE_LOGS = "complete_logs"
    BILLING_SETTINGS = "billing_settings"
    ACCOUNT_DATA = "account_data"


MAIN_ACCOUNT_ONLY = frozenset(
    {
        Permission.SUB_USER_MANAGEMENT,
        Permission.COMPLETE_LOGS,
        Permission.BILLING_SETTINGS,
        Permission.ACCOUNT_DATA,
    }
)

OPERATIONAL = tuple(permission for permission in Permission if permission not in MAIN_ACCOUNT_ONLY)
"""Permissions of every sub-user, in display order."""


def permissions_of(assurance: AssuranceLevel) -> tuple[Permission, ...]:
    """Return the permissions of a sub-user's session."""
    return () if assurance.is_restricted else OPERATIONAL
