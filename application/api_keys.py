"""Who may use which part of the interface."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class Scope(StrEnum):
    """What an API key is for."""

    PORTAL = "portal"
    SUPPORT = "support"
    AUDITOR = "auditor"
    ANALYTICS = "analytics"


@dataclass(frozen=True)
class ApiKey:
    """A key, without its secret."""

    api_key_id: UUID
    name: str
    scope: Scope
    created_at: datetime | None = None
    revoked_at: datetime | None = None
