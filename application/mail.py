"""Content of mails to sub-users and owners."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from domain.mails import SecurityNotice
from domain.sub_user import Notice

if TYPE_CHECKING:
    from datetime import datetime

MailKind: TypeAlias = Notice | SecurityNotice

NOTICES_WITHOUT_PASSWORD = frozenset({Notice.PASSWORD_CHANGED, Notice.EMAIL_CHANGED, Notice.INVITATION})
MAIL_KINDS: tuple[MailKind, ...] = (*(notice for notice in Notice if notice != Notice.NONE), *SecurityNotice)
"""Every kind of mail."""

KINDS_WITH_LINK: frozenset[MailKind] = frozenset(
    {
        SecurityNotice.PASSWORD_RESET,
        SecurityNotice.EMAIL_CONFIRMATION,
        SecurityNotice.OWNER_EMAIL_CHANGED,
        Notice.INVITATION,
    }
)


def mail_kind(name: str) -> MailKind:
    """Return the kind of mail with a name."""
    return Notice(name) if name in set(Notice) else SecurityNotice(name)


def has_password(kind: MailKind) -> bool:
    """Return whether mails of a kind contain a temporary password."""
    return isinstance(kind, Notice) and kind not in NOTICES_WITHOUT_PASSWORD


@dataclass(frozen=True)
class MailedLinkUrl:
    """A link in a mail."""

    url: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class Mail:
    """One mail to one person, ready to be rendered.

    `message_id` (without angle brackets) is the same for every attempt, so that duplicates can be recognized.
    `password` is the temporary password as plaintext, None if the mail contains none. The repr omits it.
    `access_ends_at` is the end of the recipient's access, None if it has none or the mail is about something else.
    `date` is the time of the event that caused the mail. `language` is "en" or "it". An owner has the company's name.
    `ip`, `place` and `device` are those of the person themselves, None if someone else caused the mail.
    `subject_matter` is what the notice is about, such as the name of a second factor.
    """

    message_id: str
    kind: MailKind
    language: str
    to: str
    name: str
    surname: str
    account_email: str
    company_name: str
    login_url: str
    date: datetime
    password: str | None = field(default=None, repr=False)
    password_expires_at: datetime | None = None
    access_ends_at: datetime | None = None
    is_to_owner: bool = False
    link: MailedLinkUrl | None = field(default=None, repr=False)
    ip: str | None = field(default=None, repr=False)
    place: str | None = field(default=None, repr=False)
    device: str | None = field(default=None, repr=False)
    subject_matter: str | None = field(default=None, repr=False)

    @property
    def full_name(self) -> str:
        """Name and surname of the recipient."""
        return f"{self.name} {self.surname}".strip()
