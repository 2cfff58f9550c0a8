"""Sign-in of sub-users, who name themselves and their account by e-mail."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.commands.resources import SubUserDetails, sub_user_details
from application.email_hashes import email_hashes, owner_email_hash
from application.sign_in.new_session import NewSession
from application.sign_in.password_sign_in import UNKNOWN_ID, ClaimedIdentity, Identity, LoginAttempt, PasswordSignIn
from application.throttle_keys import identity_key, sub_user_keys
from domain.assurance_level import AssuranceLevel
from domain.refusals import AccountNotFound, LoginRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from application.command_context import CommandContext
    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.vault import PersonKey
    from application.repository import Outcome
    from domain.event_metadata import EventMetadata
    from domain.main_account import MainAccount


@dataclass(frozen=True)
class SubUserIdentity(Identity):
    """A sub-user. `email_hash` is that of the e-mail with which an attempt names them, None in a session."""

    is_owner = False
    email_hash: str | None = None

    @property
    def sub_user_id(self) -> UUID:
        """Id of the sub-user."""
        return self.entry.person_id

    def metadata(self, context: CommandContext) -> EventMetadata:
        """Return the metadata of a command by this sub-user."""
        return context.by_sub_user(self.sub_user_id).encrypted_with(self.entry.key)

    def throttle_key(self, keyed_hasher: KeyedHasher, account: MainAccount, owner_key: PersonKey) -> bytes:
        """Return the key of the e-mails of the account and the sub-user."""
        account_email_hash = owner_email_hash(keyed_hasher, owner_key, account)
        return identity_key(keyed_hasher, account_email_hash, keyed_hasher.email(self.email(account)))

    def forbidden_texts(self, account: MainAccount) -> list[str]:
        """Return the sub-user's e-mail and names."""
        sub_user = account.sub_user(self.sub_user_id)
        return [self.entry.key.decrypt(name, getattr(sub_user, name)) for name in ("email", "name", "surname")]

    def email(self, account: MainAccount) -> str:
        """Return the sub-user's e-mail."""
        return self.entry.key.decrypt("email", account.sub_user(self.sub_user_id).email)

    def end_of_access(self, account: MainAccount) -> datetime | None:
        """Return the end of the sub-user's access."""
        return account.sub_user(self.sub_user_id).access_expires_at

    def log_in(self, account: MainAccount, at: datetime, metadata: EventMetadata) -> NewSession:
        """Record a login. With a temporary password, the session has the level of one.

        Raises `LoginRefused` if their e-mail has changed since the attempt found them by it.
        """
        sub_user = account.sub_user(self.sub_user_id)
        if self.email_hash not in {None, sub_user.email_hash}:
            raise LoginRefused("unknown")
        assurance = AssuranceLevel.TEMPORARY_PASSWORD if sub_user.must_change_password else AssuranceLevel.PASSWORD
        session = NewSession(account.id, self.sub_user_id, assurance, at, sub_user.access_expires_at)
        account.log_in(self.sub_user_id, session.session_id, at=at, metadata=metadata)
        return session

    def log_in_with_passkey(self, account: MainAccount, at: datetime, metadata: EventMetadata) -> NewSession:
        """Record a login with a passkey. It says nothing of the password, and so ends no lock."""
        expiry = self.end_of_access(account)
        session = NewSession(account.id, self.sub_user_id, AssuranceLevel.SECOND_FACTOR, at, expiry)
        account.log_in_with_passkey(self.sub_user_id, session.session_id, at=at, metadata=metadata)
        return session

    def change_password(
        self, account: MainAccount, assurance: AssuranceLevel, at: datetime, metadata: EventMetadata
    ) -> NewSession:
        """Record a password change, which also records the login."""
        session = NewSession(account.id, self.sub_user_id, assurance, at, self.end_of_access(account))
        account.change_own_password(self.sub_user_id, session.session_id, at=at, metadata=metadata)
        return session

    def log_out(self, account: MainAccount, session_id: UUID | None, at: datetime, metadata: EventMetadata) -> None:
        """Record a logout."""
        account.log_out(self.sub_user_id, session_id, at=at, metadata=metadata)

    def record_refused_login(
        self, account: MainAccount, why: str, failures: int, at: datetime, metadata: EventMetadata
    ) -> None:
        """Record a refused login, unless the sub-user has been deleted in the meantime."""
        if self.sub_user_id in account.sub_users:
            account.record_refused_login(self.sub_user_id, why, failures, at=at, metadata=metadata)


class SubUserSessions(PasswordSignIn):
    """Commands of sub-users on their own sessions and password."""

    identity_type = SubUserIdentity

    def log_in(
        self,
        account_email: str,
        email: str,
        password: str,
        context: CommandContext,
        on_verified: Callable[[], None] = lambda: None,
    ) -> Outcome[NewSession]:
        """Open a session. Raises `LoginRefused`, identical for all causes, `TooManyAttempts` or `TooBusy`."""
        account_email_hash, email_hash = self.keyed_hasher.email(account_email), self.keyed_hasher.email(email)
        keys = sub_user_keys(self.keyed_hasher, account_email_hash, email_hash, context.ip)
        return self._log_in(LoginAttempt(account_email_hash, email, password, keys, context), on_verified)

    def find_holder(self, account_id: UUID, sub_user_id: UUID) -> SubUserDetails | None:
        """Return the sub-user of a session, or None if they have been deleted meanwhile."""
        sub_user = self.accounts.load(account_id).sub_users.get(sub_user_id)
        entry = self.vault.entries([sub_user_id]).get(sub_user_id)
        if sub_user is None or entry is None:
            return None
        return sub_user_details(account_id, sub_user, entry.key)

    def find_claimed(self, account_email_hash: str, email: str) -> ClaimedIdentity:
        """Return the sub-user with this e-mail in the account with the other e-mail."""
        account = None
        with suppress(AccountNotFound):
            account = self.accounts.load_by_email(account_email_hash, self.clock())
        entries = dict(self.vault.entries([account.id, *account.sub_users] if account is not None else [UNKNOWN_ID]))
        owner_entry = entries.pop(account.id, None) if account is not None else None
        if account is None or owner_entry is None:
            return ClaimedIdentity()
        hashes = email_hashes(self.keyed_hasher, account.id, entries.values(), email)
        sub_user = account.sub_user_with_email(hashes)
        entry = entries.get(sub_user.sub_user_id) if sub_user is not None else None
        if sub_user is None or entry is None:
            return ClaimedIdentity(account.id, None, owner_entry.key, account)
        identity = SubUserIdentity(entry, sub_user.email_hash)
        return ClaimedIdentity(account.id, identity, owner_entry.key, account)
