"""Port: login links for the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.assurance_level import AssuranceLevel


@dataclass(frozen=True)
class ConsoleLink:
    """The account of a link, and the level of the session that it opens."""

    account_id: UUID
    assurance: AssuranceLevel


class ConsoleLinks(Protocol):
    """One-time links with which owners log in to the console. `DeleteConsoleLink` deletes a used one."""

    def add(self, link_hash: bytes, link: ConsoleLink, expires_at: datetime) -> None:
        """Add a link that is valid until `expires_at`."""

    def find(self, link_hash: bytes, now: datetime) -> ConsoleLink | None:
        """Return a link, if it is valid."""
