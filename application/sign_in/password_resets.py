"""Choice of a new password with a mailed link: for a person who forgot theirs, or who was invited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from application.sign_in.login_throttling import LoginThrottling
from application.sign_in.mailed_links import NewLink, find_link, find_link_account
from application.throttle_keys import OWNER, password_reset_keys
from application.transactional_writes import ResetFailedAttempts, StorePassword, TransactionalWrite
from domain.mails import LinkPurpose
from domain.refusals import AccountNotFound, LinkInvalid, LoginRefused, SubUserNotFound

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from application.command_context import CommandContext
    from application.ports.sign_in.mailed_links import MailedLinks
    from application.repository import Outcome
    from application.sign_in.owner_sign_in import OwnerSessions
    from application.sign_in.password_sign_in import Identity, PasswordSignIn
    from application.sign_in.sub_user_sign_in import SubUserSessions
    from domain.main_account import MainAccount

PASSWORD_RESET_LIFETIME = timedelta(minutes=30)
"""Lifetime of a link to reset a password."""


@dataclass(frozen=True)
class PasswordResets:
    """Commands of people who cannot sign in, but receive mails."""

    sub_user_sessions: SubUserSessions
    owner_sessions: OwnerSessions
    links: MailedLinks

    def request(
        self,
        account_email: str,
        email: str | None,
        context: CommandContext,
        on_found: Callable[[], None] = lambda: None,
    ) -> None:
        """Mail a link to the sub-user with an e-mail, or to the account's owner (None).

        Do the same for an unknown person, and for an owner without a password, except for the mail. `on_found` is
        called after the person has been looked up. The duration from then on depends on whether they exist. Raises
        `TooManyAttempts`.
        """
        sign_in: PasswordSignIn = self.owner_sessions if email is None else self.sub_user_sessions
        keyed_hasher = sign_in.keyed_hasher
        account_email_hash = keyed_hasher.email(account_email)
        email_hash = OWNER if email is None else keyed_hasher.email(email)
        throttling = LoginThrottling(sign_in.throttle, sign_in.clock)
        keys = password_reset_keys(keyed_hasher, account_email_hash, email_hash, context.ip)
        throttling.fail(throttling.reserve_now(keys).reservation)  # every request counts, known person or not
        claimed = sign_in.find_claimed(account_email_hash, email or account_email)
        on_found()
        if claimed.identity is not None and claimed.identity.entry.password_hash is not None:
            self._record_request(sign_in, claimed.identity, context)

    def find_account_id(self, secret: str, purpose: LinkPurpose) -> UUID | None:
        """Return the account of the person to whom a link was mailed, if the link is valid."""
        return find_link_account(self.links, secret, purpose, self.owner_sessions.clock())

    def choose_password(
        self, secret: str, purpose: LinkPurpose, new_password: str, context: CommandContext
    ) -> Outcome[UUID | None]:
        """Replace the password of the person to whom a link was mailed, and end all their sessions.

        Return the sub-user's id, None for the owner. Raises `LinkInvalid`, and `InvalidValue` for a password that is
        not allowed, which does not use up the link.
        """
        link = find_link(self.links, secret, purpose, self.owner_sessions.clock())
        sign_in: PasswordSignIn = self.owner_sessions if link.sub_user_id is None else self.sub_user_sessions
        entries = sign_in.vault.entries([link.person_id, link.account_id])
        if link.person_id not in entries or link.account_id not in entries:
            raise LinkInvalid
        identity = sign_in.identity_type(entries[link.person_id])
        owner_key = entries[link.account_id].key
        forbidden_texts = identity.forbidden_texts(sign_in.accounts.load(link.account_id))
        sign_in.passwords.ensure_strong("new_password", new_password, forbidden_texts)
        password_hash = sign_in.passwords.hash(new_password)
        metadata = identity.metadata(context)

        def decide(account: MainAccount) -> tuple[UUID | None, list[TransactionalWrite]]:
            at = sign_in.clock()
            find_link(self.links, secret, purpose, at)
            entry = sign_in.vault.entries([link.person_id]).get(link.person_id)
            if entry is None:
                raise LinkInvalid
            current_forbidden_texts = identity.forbidden_texts(account)
            if current_forbidden_texts != forbidden_texts:
                sign_in.passwords.ensure_strong("new_password", new_password, current_forbidden_texts)
            account.choose_password_by_link(link.sub_user_id, purpose, at=at, metadata=metadata)
            store_password = StorePassword.chosen(link.person_id, password_hash, entry.credentials_version + 1)
            reset = ResetFailedAttempts(identity.throttle_key(sign_in.keyed_hasher, account, owner_key), at)
            return link.sub_user_id, [store_password, reset]

        try:
            return sign_in.accounts.change(link.account_id, decide)
        except (LoginRefused, SubUserNotFound, AccountNotFound):
            raise LinkInvalid from None

    def _record_request(self, sign_in: PasswordSignIn, identity: Identity, context: CommandContext) -> None:
        entry = identity.entry
        metadata = context.by_anonymous().encrypted_with(entry.key)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            at = sign_in.clock()
            if not account.request_password_reset(identity.sub_user_id, at=at, metadata=metadata):
                return None, []
            link = NewLink.lasting(PASSWORD_RESET_LIFETIME, LinkPurpose.PASSWORD_RESET, entry, at)
            return None, [link.as_write(account.version)]

        try:
            sign_in.accounts.change(entry.account_id, decide)
        except (AccountNotFound, SubUserNotFound):  # deleted in the meantime
            return
