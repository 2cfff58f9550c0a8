"""Port: usage of accounts, for the check of usage thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import date
    from uuid import UUID

    from domain.plan import Period, Usage


@dataclass(frozen=True)
class DueAccount:
    """An account that is due for a check, and the UTC days whose usage, or on which the plan, has changed."""

    account_id: UUID
    days: list[date]


class UsageCounts(Protocol):
    """Usage of accounts, and the accounts whose usage or plan has changed since the last check."""

    def lock_due_account(self, today: date) -> AbstractContextManager[DueAccount | None]:
        """Lock an account whose check is due on this day or before, if any, for the block.

        The account stays due if the block raises.
        """

    def total_usage(self, account_id: UUID, period: Period) -> Usage:
        """Return the total usage of an account's sub-users in a period."""
