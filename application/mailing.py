"""Sending the mails that events ask for: each once, retried while that makes sense, its outcome recorded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from application.mail import Mail, MailDelayed, MailKind, MailRefused
from application.origin import Origin
from application.records import MailSettled, PasswordMailed, Record
from domain.cause import ActorType
from domain.refusals import AccountNotFound
from domain.sub_user import Notice

if TYPE_CHECKING:
    from application.mail import MailTransport
    from application.main_accounts import MainAccounts
    from application.ports import Clock, MailJob, MailQueue, Vault, VaultEntry
    from domain.main_account import MainAccount
    from domain.sub_user import SubUser

FIRST_DELAY = timedelta(seconds=15)
LONGEST_DELAY = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=48)
"""RFC 5321, 4.5.4.1, asks senders to go on for days; access data is of little use after two."""


class Mailing:
    """Takes mails off the queue, one at a time."""

    def __init__(
        self,
        accounts: MainAccounts,
        vault: Vault,
        queue: MailQueue,
        transport: MailTransport,
        clock: Clock,
        *,
        login_url: str,
        mail_domain: str,
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._queue = queue
        self._transport = transport
        self._clock = clock
        self._login_url = login_url
        self._mail_domain = mail_domain

    def send_next(self) -> bool:
        """Attempt one mail that is due; return False if none is."""
        job = self._queue.claim(self._clock())
        if job is None:
            return False
        if job.attempts > 1 and self._clock() - job.asked_at >= GIVE_UP_AFTER + 2 * LONGEST_DELAY:
            self._settle(job, "failed", "not delivered in time")  # whatever kept the attempts before from saying so
            return True
        try:
            mail = self._mail(job)
            if mail is None:
                self._settle(job, "superseded")
                return True
            reply = self._transport.send(mail)
        except MailRefused as refused:
            self._settle(job, "failed", refused.reply)
        except MailDelayed as delayed:
            self._delay(job, delayed.reply)
        else:
            self._settle(job, "sent", reply)
        return True

    def _mail(self, job: MailJob) -> Mail | None:
        """Return the mail as it must read now; None where its person is gone or its access data was replaced."""
        try:
            account = self._accounts.load(job.account_id)
        except AccountNotFound:
            return None
        sub_user = account.sub_users.get(job.sub_user_id)
        entries = self._vault.entries([job.account_id, job.sub_user_id])
        if sub_user is None or account.closed_at is not None or len(entries) < len({job.account_id, job.sub_user_id}):
            return None
        entry = entries[job.sub_user_id]
        password = None
        if job.notice != Notice.PASSWORD_CHANGED:
            if entry.credentials != job.credentials or entry.sealed_password is None or not sub_user.active:
                return None
            password = entry.key.open("password", entry.sealed_password)
        return self._written(job, account, sub_user, entries[job.account_id], entry, password)

    def _written(
        self,
        job: MailJob,
        account: MainAccount,
        sub_user: SubUser,
        owner: VaultEntry,
        entry: VaultEntry,
        password: str | None,
    ) -> Mail:
        return Mail(
            message_id=f"{job.account_id}.{job.caused_by}@{self._mail_domain}",
            kind=MailKind(job.notice),
            language=account.language,
            to=entry.key.open("email", sub_user.email),
            name=entry.key.open("name", sub_user.name),
            surname=entry.key.open("surname", sub_user.surname),
            account_email=owner.key.open("email", account.email),
            company_name=owner.key.open("company_name", account.company_name),
            login_url=self._login_url,
            date=job.asked_at,
            password=password,
            password_expires_at=entry.password_expires_at if password is not None else None,
        )

    def _delay(self, job: MailJob, reply: str) -> None:
        now = self._clock()
        if now - job.asked_at >= GIVE_UP_AFTER:
            self._settle(job, "failed", reply)
        else:
            self._queue.postpone(job, now + delay_after(job.attempts), reply)

    def _settle(self, job: MailJob, state: str, reply: str | None = None) -> None:
        """Record what came of the mail, and forget the plaintext password it carried, in one transaction."""
        at = self._clock()
        records: list[Record] = [MailSettled(job.account_id, job.caused_by, state, at)]
        if job.credentials is not None:
            records.append(PasswordMailed(job.sub_user_id, job.credentials))

        def decide(account: MainAccount) -> tuple[None, list[Record]]:
            self._note(account, job, state, reply, at)
            return None, records

        self._accounts.change(job.account_id, decide)

    def _note(self, account: MainAccount, job: MailJob, state: str, reply: str | None, at: datetime) -> None:
        entry = self._vault.entries([job.sub_user_id]).get(job.sub_user_id)
        if reply is None or entry is None:
            return
        account.note_mail(
            job.sub_user_id,
            Notice(job.notice),
            job.caused_by,
            entry.key.seal("reply", reply),
            accepted=state == "sent",
            at=at,
            cause=Origin(ActorType.SYSTEM, "mailer").sealed_with(entry.key),
        )


def delay_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: twice as long each time, an hour at most."""
    return min(FIRST_DELAY * (1 << min(attempts - 1, 20)), LONGEST_DELAY)
