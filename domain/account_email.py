"""E-mail addresses of a main account's owner: the one that waits for confirmation, and former ones that still work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from domain.event_metadata import Ciphertext

CONFIRMATION_LIFETIME = timedelta(hours=24)
"""Time in which a new e-mail has to be confirmed."""

FORMER_EMAIL_LIFETIME = timedelta(days=7)
"""Time for which a former e-mail still works for sign-in, and the change can be undone from there."""

MAX_FORMER_EMAILS = 5
"""Maximum number of former e-mails that still work. Each change mails all sub-users."""


@dataclass(frozen=True)
class PendingEmail:
    """E-mail that waits for confirmation. The event of this version requested it."""

    email: Ciphertext
    email_hash: str
    version: int
    expires_at: datetime


@dataclass(frozen=True)
class FormerEmail:
    """Former e-mail, which still works until `kept_until`. The event of this version kept it."""

    email: Ciphertext
    email_hash: str
    version: int
    kept_until: datetime

    def is_valid(self, at: datetime) -> bool:
        """Return whether the e-mail still works at a time."""
        return self.kept_until > at
