"""What a mail to a sub-user says, and what sending one can come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class MailKind(StrEnum):
    """Why a sub-user gets a mail. All but the last carry access data."""

    ACTIVATION = "activation"
    REACTIVATION = "reactivation"
    SEND_AGAIN = "send_again"
    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"


@dataclass(frozen=True)
class Mail:
    """One mail to one sub-user, ready to be rendered.

    `message_id` (without angle brackets) is the same at every attempt, so that a repeated mail can be recognised.
    `password` is the temporary password in the clear, None where the mail carries none; it never shows in a repr.
    `date` is when the event happened that caused the mail. `language` is "en" or "it".
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
    """Hands a mail to whoever delivers it."""

    def send(self, mail: Mail) -> str:
        """Return the server's reply once it has taken responsibility for the mail.

        Raises `MailRefused` when trying again is pointless, `MailDelayed` when it is not.
        """


class MailRefused(Exception):
    """The mail server refused the mail for good; `reply` is what it said."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


class MailDelayed(Exception):
    """The mail could not be handed over now; `reply` says why."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply
