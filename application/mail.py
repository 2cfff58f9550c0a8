"""Mails to sub-users: their content, the transport, and its errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class MailKind(StrEnum):
    """Kinds of mails to sub-users. All except the last contain credentials."""

    ACTIVATION = "activation"
    REACTIVATION = "reactivation"
    SEND_AGAIN = "send_again"
    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"


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


class MailTransport(Protocol):
    """Sends mails through a mail server."""

    def send(self, mail: Mail) -> str:
        """Send a mail, and return the reply with which the server accepted it.

        Raises `MailRefused` for a permanent failure, `MailDelayed` for a temporary one, and `MailThrottled` if other
        mails should wait as well.
        """


class MailRefused(Exception):
    """The mail server refused the mail permanently, with `reply`."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


class MailDelayed(Exception):
    """The mail could not be sent now. `reply` gives the reason."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


class MailThrottled(MailDelayed):
    """The mail server limits the rate of mails, with `reply`."""
