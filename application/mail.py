"""Content of mails to sub-users."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class MailKind(StrEnum):
    """Kinds of mails to sub-users. `EMAIL_CHANGED` goes to the former e-mail."""

    ACTIVATION = "activation"
    REACTIVATION = "reactivation"
    SEND_AGAIN = "send_again"
    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGED = "email_changed"

    @property
    def has_credentials(self) -> bool:
        """Whether mails of this kind contain credentials."""
        return self not in {MailKind.PASSWORD_CHANGED, MailKind.EMAIL_CHANGED}


@dataclass(frozen=True)
class Mail:
    """One mail to one sub-user, ready to be rendered.

    `message_id` (without angle brackets) is the same for every attempt, so that duplicates can be recognized.
    `password` is the temporary password as plaintext, None if the mail contains none. The repr omits it.
    `date` is the time of the event that caused the mail. `language` is "en" or "it".
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
