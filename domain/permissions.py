"""The permission catalog: what a sub-user may do on the portal, and what only the main account may."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """Everything the portal can ask about."""

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
"""What every sub-user may do, in the order in which it is shown."""
