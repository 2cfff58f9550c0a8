"""Composition of queued mails from the account, the event that requested the mail, and the vault."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from application.contact_history import contact_at
from application.mail import KINDS_WITH_LINK, Mail, MailedLinkUrl, mail_kind
from application.ports.mailing import MailRefused
from application.sign_in.mailed_links import SECRET_FIELD
from domain.event_metadata import ActorType
from domain.events import MainAccountEmailChangeRequested, MainAccountFormerEmailKept, PasswordResetForwarded
from domain.mails import SecurityNotice
from domain.refusals import AccountNotFound
from domain.sub_user import Notice

if TYPE_CHECKING:
    from uuid import UUID

    from application.contact_history import Contact
    from application.ports.clock import Clock
    from application.ports.mailing import MailJob, MailQueue
    from application.ports.sign_in.client_details import ClientDescriber
    from application.ports.sign_in.mailed_links import MailedLinks
    from application.ports.vault import PersonKey, Vault, VaultEntry
    from application.repository import MainAccounts
    from domain.event_metadata import Ciphertext
    from domain.events import Event
    from domain.main_account import MainAccount
    from domain.sub_user import SubUser


TO_OTHER_ADDRESSES = (MainAccountEmailChangeRequested, MainAccountFormerEmailKept)
"""Events whose mail goes to the e-mail that they contain: a new or a former one of the owner."""


@dataclass(frozen=True)
class SignInUrls:
    """URLs of the pages where people sign in. Those for links are below `base`, which has no slash at the end."""

    base: str
    owner_login: str
    sub_user_login: str

    @classmethod
    def of_console(cls, public_url: str) -> SignInUrls:
        """Return the URLs of the console's pages."""
        return cls(public_url, f"{public_url}/login", f"{public_url}/login?as=sub-user")

    @classmethod
    def of_portal(cls, url: str) -> SignInUrls:
        """Return the URLs of a portal's own pages. Everybody signs in at the same one."""
        return cls(url, url, url)

    def of_link(self, purpose: str, secret: str) -> str:
        """Return the URL of a link."""
        return f"{self.base}/{purpose.replace('_', '-')}/{secret}"


@dataclass(frozen=True)
class MailComposer:
    """Composes queued mails."""

    accounts: MainAccounts
    vault: Vault
    queue: MailQueue
    links: MailedLinks
    clients: ClientDescriber
    clock: Clock
    urls: SignInUrls
    mail_domain: str

    def compose(self, job: MailJob) -> Mail | None:
        """Return the mail, or None if it is outdated: its recipient was deleted, or its credentials were replaced."""
        try:
            account = self.accounts.load(job.account_id)
        except AccountNotFound:
            return None
        person_id = job.sub_user_id or job.account_id
        entries = self.vault.entries([job.account_id, person_id])
        owner_entry, entry = entries.get(job.account_id), entries.get(person_id)
        if account.closed_at is not None or owner_entry is None or entry is None:
            return None
        if isinstance(mail_kind(job.notice), SecurityNotice):
            return self._security_notice(job, account, owner_entry.key, entry)
        if job.credentials_version is not None:
            return self._credentials(job, account, owner_entry.key, entry)
        recipient = self._recipient_of_notice(job, person_id) if person_id in account.sub_users else None
        return self._to_sub_user(job, account, recipient, owner_entry.key, entry) if recipient is not None else None

    def _credentials(self, job: MailJob, account: MainAccount, owner_key: PersonKey, entry: VaultEntry) -> Mail | None:
        """Return a mail with the current temporary password or invitation, or None if the event requested another.

        Raises `MailRefused` if access has expired since the event: the mail would say that it is active.
        """
        sub_user = account.sub_users.get(entry.person_id)
        if sub_user is None or entry.credentials_version != job.credentials_version or not sub_user.active:
            return None
        if sub_user.has_expired(self.clock()):
            raise MailRefused("the sub-user's access has expired")
        if mail_kind(job.notice) in KINDS_WITH_LINK:
            link = self._link(job, entry.key)
            if link is None:
                return None
            ends = [end for end in (link.expires_at, sub_user.access_expires_at) if end is not None]
            mail = self._to_sub_user(job, account, sub_user, owner_key, entry)
            return replace(mail, link=replace(link, expires_at=min(ends)))
        if entry.encrypted_password is None:
            return None
        password = entry.key.decrypt("password", entry.encrypted_password)
        mail = self._to_sub_user(job, account, sub_user, owner_key, entry, password)
        return replace(mail, access_ends_at=sub_user.access_expires_at)

    def _recipient_of_notice(self, job: MailJob, sub_user_id: UUID) -> Contact | None:
        """Return the recipient of a mail without credentials, or None if the mail is not needed.

        It goes to the e-mail that the sub-user had at the event. A changed e-mail is told to the former one, if
        credentials were mailed there while it was theirs.
        """
        contacts = self.accounts.contacts(job.account_id, sub_user_id)
        if job.notice != Notice.EMAIL_CHANGED:
            return contact_at(contacts, job.caused_by)
        former = contact_at(contacts, job.caused_by - 1)
        if former is None or not self.queue.has_sent_credentials(job, former.email_version):
            return None
        return former

    def _to_sub_user(
        self,
        job: MailJob,
        account: MainAccount,
        recipient: SubUser | Contact,
        owner_key: PersonKey,
        entry: VaultEntry,
        password: str | None = None,
    ) -> Mail:
        return Mail(
            message_id=self._message_id(job),
            kind=mail_kind(job.notice),
            language=account.language,
            to=entry.key.decrypt("email", recipient.email),
            name=entry.key.decrypt("name", recipient.name),
            surname=entry.key.decrypt("surname", recipient.surname),
            account_email=owner_key.decrypt("email", account.owner_email.current),
            company_name=owner_key.decrypt("company_name", account.company_name),
            login_url=self.urls.sub_user_login,
            date=job.requested_at,
            password=password,
            password_expires_at=entry.password_expires_at if password is not None else None,
        )

    def _security_notice(
        self, job: MailJob, account: MainAccount, owner_key: PersonKey, entry: VaultEntry
    ) -> Mail | None:
        """Return a security notice, or None if its link cannot be used any more."""
        link = None
        if mail_kind(job.notice) in KINDS_WITH_LINK:
            link = self._link(job, entry.key)
            if link is None:
                return None
        event = self.accounts.event(job.account_id, job.caused_by)
        to = event.email if isinstance(event, TO_OTHER_ADDRESSES) else None
        mail = self._to_owner(job, account, owner_key, to)
        if job.sub_user_id is not None:
            recipient = contact_at(self.accounts.contacts(job.account_id, job.sub_user_id), job.caused_by)
            if recipient is None or job.sub_user_id not in account.sub_users:
                return None
            mail = self._to_sub_user(job, account, recipient, owner_key, entry)
        is_own_act = _is_own_act(event, entry.person_id)
        ip = entry.key.decrypt("ip", event.ip) if is_own_act and event.ip else None
        user_agent = entry.key.decrypt("user_agent", event.user_agent) if is_own_act and event.user_agent else None
        client = self.clients.describe(ip, user_agent)
        return replace(
            mail,
            link=link,
            ip=ip,
            place=self.clients.place_name(client, mail.language),
            device=client.device_name or user_agent,
            subject_matter=self._subject_matter(event, account),
        )

    def _to_owner(self, job: MailJob, account: MainAccount, owner_key: PersonKey, to: Ciphertext | None = None) -> Mail:
        """Return a mail to the owner, by default to the account's e-mail."""
        email = owner_key.decrypt("email", account.owner_email.current)
        company_name = owner_key.decrypt("company_name", account.company_name)
        return Mail(
            message_id=self._message_id(job),
            kind=mail_kind(job.notice),
            language=account.language,
            to=owner_key.decrypt("email", to) if to is not None else email,
            name=company_name,
            surname="",
            account_email=email,
            company_name=company_name,
            login_url=self.urls.owner_login,
            date=job.requested_at,
            is_to_owner=True,
        )

    def _link(self, job: MailJob, key: PersonKey) -> MailedLinkUrl | None:
        link = self.links.find_by_event(job.account_id, job.caused_by, self.clock())
        if link is None or link.encrypted_secret is None:
            return None
        secret = key.decrypt(SECRET_FIELD, link.encrypted_secret)
        return MailedLinkUrl(self.urls.of_link(link.purpose, secret), link.expires_at)

    def _subject_matter(self, event: Event, account: MainAccount) -> str | None:
        """Return what a notice is about, if its text names it."""
        match event:
            case PasswordResetForwarded():
                sub_user = account.sub_users.get(event.sub_user_id)
                entry = self.vault.entries([event.sub_user_id]).get(event.sub_user_id)
                if sub_user is None or entry is None:
                    return None
                name, surname, email = (
                    entry.key.decrypt(field, getattr(sub_user, field)) for field in ("name", "surname", "email")
                )
                return f"{name} {surname} ({email})"
            case _:
                return None

    def _message_id(self, job: MailJob) -> str:
        return f"{job.account_id}.{job.caused_by}@{self.mail_domain}"


def _is_own_act(event: Event, person_id: UUID) -> bool:
    """Return whether a person, or someone who claims to be them, caused an event: not the owner for a sub-user."""
    is_person = event.actor_type in {ActorType.SUB_USER, ActorType.MAIN_ACCOUNT, ActorType.ANONYMOUS}
    return is_person and event.key_owner_id("ip") == person_id
