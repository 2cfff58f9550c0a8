"""Port: login links for the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class ConsoleLinks(Protocol):
    """One-time links with which owners log in to the console. `DeleteConsoleLink` deletes a used one."""

    def add(self, link_hash: bytes, account_id: UUID, expires_at: datetime) -> None:
        """Add a link that is valid until `expires_at`."""

    def find_account_id(self, link_hash: bytes, now: datetime) -> UUID | None:
        """Return the id of the account to which a link belongs, if the link is valid."""
