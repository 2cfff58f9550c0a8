"""Port: queue of mails to sub-users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class MailJob:
    """A queued mail, claimed for one attempt. `caused_by` is the version of the event that requested it."""

    account_id: UUID
    caused_by: int
    sub_user_id: UUID
    notice: str
    credentials_version: int | None
    asked_at: datetime
    attempts: int
    first_attempt_at: datetime


class MailQueue(Protocol):
    """Queue that gives each mail to one worker at a time. `FinishMail` ends a mail."""

    def claim(self, now: datetime) -> MailJob | None:
        """Claim a mail that is due, so that other workers skip it for some time. Return None if there is none."""

    def postpone(self, job: MailJob, until: datetime, reply: str) -> None:
        """Schedule the next attempt."""
