"""Port: directory of accounts by e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class AccountDirectory(Protocol):
    """Directory of open accounts by e-mail."""

    def find_account_id(self, email_hash: str, now: datetime) -> UUID | None:
        """Return the id of the account with this e-mail, or with a former one that still works, if any."""
