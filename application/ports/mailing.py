"""Ports: queue of mails, and the transport that sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from application.mail import Mail


@dataclass(frozen=True)
class MailJob:
    """A queued mail, claimed for one attempt. `caused_by` is the version of the event that requested it.

    Without a sub-user, the mail is for the account's owner.
    """

    account_id: UUID
    caused_by: int
    sub_user_id: UUID | None
    notice: str
    credentials_version: int | None
    requested_at: datetime
    attempts: int
    first_attempt_at: datetime


class MailQueue(Protocol):
    """Queue that gives each mail to one worker at a time. `FinishMail` takes a mail off the queue.

    A notice of a changed e-mail waits until earlier mails with credentials to the same sub-user are off the queue.
    """

    def claim(self, now: datetime) -> MailJob | None:
        """Claim a mail that is due, so that other workers skip it for some time. Return None if there is none."""

    def has_sent_credentials(self, job: MailJob, since_version: int) -> bool:
        """Return whether credentials that events from `since_version` to `job` requested were mailed to its person."""

    def postpone(self, job: MailJob, until: datetime, reply: str) -> None:
        """Schedule the next attempt."""


class MailTransport(Protocol):
    """Sends mails, or writes them to files."""

    def send(self, mail: Mail) -> str:
        """Send a mail, and return the reply of the mail server, or where the mail was written.

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
