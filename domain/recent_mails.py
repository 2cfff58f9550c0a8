"""Limits of the mails that an account causes, which the owner could otherwise abuse for spam.

The owner chooses the recipient and part of the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from domain.refusals import TooManyMails

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

MAIL_WINDOW = timedelta(hours=1)
MAILS_PER_RECIPIENT = 5
MAILS_PER_ACCOUNT = 50
"""Maximum mails within `MAIL_WINDOW` to one person, and of one account."""


@dataclass(frozen=True)
class RecentMails:
    """Mails of an account within `MAIL_WINDOW`: the time and the recipient of each, oldest first."""

    mails: tuple[tuple[datetime, UUID], ...] = ()

    def ensure_may_mail(self, recipient: UUID, at: datetime) -> None:
        """Raise `TooManyMails` if one more mail would exceed a limit."""
        recent = self._recent(at)
        times_to_recipient = [mailed_at for mailed_at, mailed_to in recent if mailed_to == recipient]
        times_to_all = [mailed_at for mailed_at, _ in recent]
        blocking_times = [  # the last `limit` mails reach the limit until the first of them leaves the window
            times[-limit]
            for times, limit in ((times_to_recipient, MAILS_PER_RECIPIENT), (times_to_all, MAILS_PER_ACCOUNT))
            if len(times) >= limit
        ]
        if blocking_times:
            raise TooManyMails((max(blocking_times) + MAIL_WINDOW - at).total_seconds())

    def mailed(self, recipient: UUID, at: datetime) -> Self:
        """Add a mail, and drop those that have left the window."""
        return type(self)((*self._recent(at), (at, recipient)))

    def _recent(self, at: datetime) -> list[tuple[datetime, UUID]]:
        return [(mailed_at, recipient) for mailed_at, recipient in self.mails if mailed_at > at - MAIL_WINDOW]
