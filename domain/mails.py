"""Mails that an account causes: kinds of security notices, purposes of links, and limits.

The owner chooses the recipient and part of the text of some mails. The limits keep them from being abused for spam.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from domain.refusals import TooManyMails

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

MAIL_WINDOW = timedelta(hours=1)
MAILS_PER_RECIPIENT = 5
MAILS_PER_ACCOUNT = 50
"""Maximum mails within `MAIL_WINDOW` to one person, and of one account."""


class SecurityNotice(StrEnum):
    """Kind of security notice. Credentials mails are kinds of `domain.sub_user.Notice`."""

    PASSWORD_RESET = "password_reset"
    """A link to choose a new password."""
    PASSWORD_RESET_FORWARDED = "password_reset_forwarded"
    """To the owner: a sub-user who may not reset their password asked for it."""
    OWNER_PASSWORD_CHANGED = "owner_password_changed"
    """To the owner: their password changed."""
    EMAIL_CONFIRMATION = "email_confirmation"
    """To the new e-mail of an account: a link that confirms it."""
    OWNER_EMAIL_CHANGED = "owner_email_changed"
    """To the former e-mail of an account: a link that undoes the change."""
    OWNER_EMAIL_RESTORED = "owner_email_restored"
    """To the owner: the change of their e-mail was undone."""
    SIGN_IN_EMAIL = "sign_in_email"
    """To a sub-user: the account's e-mail with which they log in from now on."""
    NEW_DEVICE = "new_device"
    """A person logged in from a device that was not known."""
    SECOND_FACTOR_ADDED = "second_factor_added"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    SECOND_FACTORS_RESET = "second_factors_reset"
    """The owner removed all second factors of a sub-user, or support those of the owner."""
    RECOVERY_CODE_USED = "recovery_code_used"


class LinkPurpose(StrEnum):
    """What a mailed link can be used for, once."""

    PASSWORD_RESET = "password_reset"
    """Choose a new password instead of a forgotten one."""
    INVITATION = "invitation"
    """Choose the first password."""
    EMAIL_CONFIRMATION = "email_confirmation"
    """Confirm a new e-mail of the account."""
    EMAIL_UNDO = "email_undo"
    """Restore a former e-mail of the account."""


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
