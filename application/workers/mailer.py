"""Mailer: sends the mails that events request, with retries, and records the outcomes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from application.command_context import CommandContext
from application.mail import KINDS_WITH_LINK, mail_kind
from application.ports.mailing import MailDelayed, MailRefused, MailThrottled
from application.transactional_writes import (
    FinishMail,
    ForgetMailedPassword,
    ForgetMailedSecret,
    TransactionalWrite,
)
from application.workers.mail_pacing import MailPacing
from domain.event_metadata import ActorType
from domain.mails import SecurityNotice

if TYPE_CHECKING:
    from application.ports.clock import Clock
    from application.ports.mailing import MailJob, MailQueue, MailTransport
    from application.ports.vault import Vault
    from application.repository import MainAccounts
    from application.workers.mail_composition import MailComposer
    from domain.main_account import MainAccount

MIN_DELAY = timedelta(seconds=15)
MAX_DELAY = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=48)
"""Time after which no failed attempt is retried. RFC 5321, 4.5.4.1, asks senders to retry for four to five days.
Credentials are of little use after two."""


class Mailer:
    """Worker that sends queued mails one at a time."""

    def __init__(
        self,
        accounts: MainAccounts,
        vault: Vault,
        queue: MailQueue,
        transport: MailTransport,
        clock: Clock,
        composer: MailComposer,
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._queue = queue
        self._transport = transport
        self._clock = clock
        self._composer = composer
        self._pacing = MailPacing()

    def send_next(self) -> bool:
        """Attempt one mail that is due. Return False if there is none, or if the pacing requires a pause."""
        if not self._pacing.try_to_start(self._clock()):
            return False
        job = self._queue.claim(self._clock())
        if job is None:
            return False
        if job.attempts > 1 and self._clock() - job.requested_at >= GIVE_UP_AFTER + 2 * MAX_DELAY:
            # The last attempt was due long ago. It has not run, or its worker ended before it recorded an outcome.
            self._finish(job, "failed", "not delivered in time")
            return True
        try:
            mail = self._composer.compose(job)
            if mail is None:
                self._finish(job, "superseded")
                return True
            reply = self._transport.send(mail)
        except MailRefused as refused:
            self._finish(job, "failed", refused.reply)
        except MailDelayed as delayed:
            if isinstance(delayed, MailThrottled):
                self._pacing.slow_down(self._clock())
            self._delay(job, delayed.reply)
        else:
            self._pacing.speed_up()
            self._finish(job, "sent", reply)
        return True

    def _delay(self, job: MailJob, reply: str) -> None:
        now = self._clock()
        if now - job.requested_at >= GIVE_UP_AFTER:
            self._finish(job, "failed", reply)
        else:
            self._queue.postpone(job, now + delay_after(job.attempts), reply)

    def _finish(self, job: MailJob, state: str, reply: str | None = None) -> None:
        """Record the outcome of a mail, and delete the encrypted secret that it contained, in one transaction."""
        at = self._clock()
        writes: list[TransactionalWrite] = [FinishMail(job.account_id, job.caused_by, state, at)]
        if job.sub_user_id is not None and job.credentials_version is not None:
            writes.append(ForgetMailedPassword(job.sub_user_id, job.credentials_version))
        if mail_kind(job.notice) in KINDS_WITH_LINK:
            writes.append(ForgetMailedSecret(job.account_id, job.caused_by))

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            self._record_outcome(account, job, state, reply, at)
            return None, writes

        self._accounts.change(job.account_id, decide)

    def _record_outcome(self, account: MainAccount, job: MailJob, state: str, reply: str | None, at: datetime) -> None:
        person_id = job.sub_user_id or job.account_id
        entry = self._vault.entries([person_id]).get(person_id)
        if reply is None or entry is None:
            return
        kind = mail_kind(job.notice)
        encrypted_reply = entry.key.encrypt("reply", reply)
        metadata = CommandContext(ActorType.SYSTEM, "mailer").encrypted_with(entry.key)
        is_sent = state == "sent"
        if isinstance(kind, SecurityNotice):
            account.record_notice_outcome(
                job.sub_user_id, kind, job.caused_by, encrypted_reply, accepted=is_sent, at=at, metadata=metadata
            )
        elif job.sub_user_id is not None:
            account.record_mail_outcome(
                job.sub_user_id, kind, job.caused_by, encrypted_reply, accepted=is_sent, at=at, metadata=metadata
            )


def delay_after(attempts: int) -> timedelta:
    """Return the delay after a number of attempts. It doubles each time up to `MAX_DELAY`."""
    doublings = min(attempts - 1, 20)  # bounded, because a `timedelta` can overflow
    return min(MIN_DELAY * (1 << doublings), MAX_DELAY)
