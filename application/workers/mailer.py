"""Mailer: sends the mails that events request, with retries, and records the outcomes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from application.command_context import CommandContext
from application.contact_history import contact_at
from application.mail import Mail, MailKind
from application.ports.mailing import MailDelayed, MailRefused, MailThrottled
from application.transactional_writes import FinishMail, ForgetMailedPassword, TransactionalWrite
from application.workers.mail_pacing import MailPacing
from domain.event_metadata import ActorType
from domain.refusals import AccountNotFound
from domain.sub_user import Notice

if TYPE_CHECKING:
    from application.contact_history import Contact
    from application.ports.clock import Clock
    from application.ports.mailing import MailJob, MailQueue, MailTransport
    from application.ports.vault import Vault, VaultEntry
    from application.repository import MainAccounts
    from domain.main_account import MainAccount
    from domain.sub_user import SubUser

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
            mail = self._mail(job)
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

    def _mail(self, job: MailJob) -> Mail | None:
        """Return the mail, or None if it is outdated: its recipient was deleted, or its credentials were replaced."""
        try:
            account = self._accounts.load(job.account_id)
        except AccountNotFound:
            return None
        sub_user = account.sub_users.get(job.sub_user_id)
        entries = self._vault.entries([job.account_id, job.sub_user_id])
        owner_entry, entry = entries.get(job.account_id), entries.get(job.sub_user_id)
        if sub_user is None or account.closed_at is not None or owner_entry is None or entry is None:
            return None
        if job.credentials_version is None:
            recipient = self._recipient_of_notice(job)
            return self._compose(job, account, recipient, owner_entry, entry, None) if recipient is not None else None
        if (
            entry.credentials_version != job.credentials_version
            or entry.encrypted_password is None
            or not sub_user.active
        ):
            return None
        password = entry.key.decrypt("password", entry.encrypted_password)
        return self._compose(job, account, sub_user, owner_entry, entry, password)

    def _recipient_of_notice(self, job: MailJob) -> Contact | None:
        """Return the recipient of a mail without credentials, or None if the mail is not needed.

        It goes to the e-mail that the sub-user had at the event. A changed e-mail is told to the former one, if
        credentials were mailed there while it was theirs.
        """
        contacts = self._accounts.contacts(job.account_id, job.sub_user_id)
        if job.notice != Notice.EMAIL_CHANGED:
            return contact_at(contacts, job.caused_by)
        former = contact_at(contacts, job.caused_by - 1)
        if former is None or not self._queue.has_sent_credentials(job, former.email_version):
            return None
        return former

    def _compose(
        self,
        job: MailJob,
        account: MainAccount,
        recipient: SubUser | Contact,
        owner_entry: VaultEntry,
        entry: VaultEntry,
        password: str | None,
    ) -> Mail:
        return Mail(
            message_id=f"{job.account_id}.{job.caused_by}@{self._mail_domain}",
            kind=MailKind(job.notice),
            language=account.language,
            to=entry.key.decrypt("email", recipient.email),
            name=entry.key.decrypt("name", recipient.name),
            surname=entry.key.decrypt("surname", recipient.surname),
            account_email=owner_entry.key.decrypt("email", account.email),
            company_name=owner_entry.key.decrypt("company_name", account.company_name),
            login_url=self._login_url,
            date=job.requested_at,
            password=password,
            password_expires_at=entry.password_expires_at if password is not None else None,
        )

    def _delay(self, job: MailJob, reply: str) -> None:
        now = self._clock()
        if now - job.requested_at >= GIVE_UP_AFTER:
            self._finish(job, "failed", reply)
        else:
            self._queue.postpone(job, now + delay_after(job.attempts), reply)

    def _finish(self, job: MailJob, state: str, reply: str | None = None) -> None:
        """Record the outcome of a mail, and delete the encrypted password that it contained, in one transaction."""
        at = self._clock()
        writes: list[TransactionalWrite] = [FinishMail(job.account_id, job.caused_by, state, at)]
        if job.credentials_version is not None:
            writes.append(ForgetMailedPassword(job.sub_user_id, job.credentials_version))

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            self._record_outcome(account, job, state, reply, at)
            return None, writes

        self._accounts.change(job.account_id, decide)

    def _record_outcome(self, account: MainAccount, job: MailJob, state: str, reply: str | None, at: datetime) -> None:
        entry = self._vault.entries([job.sub_user_id]).get(job.sub_user_id)
        if reply is None or entry is None:
            return
        account.record_mail_outcome(
            job.sub_user_id,
            Notice(job.notice),
            job.caused_by,
            entry.key.encrypt("reply", reply),
            accepted=state == "sent",
            at=at,
            metadata=CommandContext(ActorType.SYSTEM, "mailer").encrypted_with(entry.key),
        )


def delay_after(attempts: int) -> timedelta:
    """Return the delay after a number of attempts. It doubles each time up to `MAX_DELAY`."""
    doublings = min(attempts - 1, 20)  # bounded, because a `timedelta` can overflow
    return min(MIN_DELAY * (1 << doublings), MAX_DELAY)
