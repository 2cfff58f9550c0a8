"""Sign-in of account owners, with their e-mail and password or with a link from the portal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from application.data_keys import load_owner_entry
from application.email_hashes import owner_email_hash
from application.ports.sign_in.console_links import ConsoleLink
from application.sign_in.new_session import NewSession, new_token, token_hash
from application.sign_in.password_sign_in import UNKNOWN_ID, ClaimedIdentity, Identity, LoginAttempt, PasswordSignIn
from application.throttle_keys import owner_identity_key, owner_keys
from application.transactional_writes import DeleteConsoleLink, ResetFailedAttempts, TransactionalWrite
from domain.assurance_level import AssuranceLevel
from domain.event_metadata import Via
from domain.refusals import AccountIsClosed, LoginRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from application.command_context import CommandContext
    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.sign_in.console_links import ConsoleLinks
    from application.ports.vault import PersonKey
    from application.repository import Outcome
    from domain.event_metadata import EventMetadata
    from domain.main_account import MainAccount

LINK_LIFETIME = timedelta(seconds=60)
"""Lifetime of a link. It only has to outlast the redirect of a browser."""


class OwnerIdentity(Identity):
    """The owner of an account."""

    is_owner = True
    sub_user_id = None

    def metadata(self, context: CommandContext) -> EventMetadata:
        """Return the metadata of a command by this owner."""
        return context.by_owner(self.entry.account_id).encrypted_with(self.entry.key)

    def throttle_key(self, keyed_hasher: KeyedHasher, account: MainAccount, owner_key: PersonKey) -> bytes:
        """Return the key of the account's e-mail."""
        return owner_identity_key(keyed_hasher, owner_email_hash(keyed_hasher, owner_key, account))

    def forbidden_texts(self, account: MainAccount) -> list[str]:
        """Return the account's e-mail and company name."""
        key = self.entry.key
        return [key.decrypt("email", account.owner_email.current), key.decrypt("company_name", account.company_name)]

    def email(self, account: MainAccount) -> str:
        """Return the account's e-mail."""
        return self.entry.key.decrypt("email", account.owner_email.current)

    def end_of_access(self, account: MainAccount) -> datetime | None:  # noqa: ARG002  # declared by the base class
        """Return None: the owner's access does not end."""
        return None

    def log_in(self, account: MainAccount, at: datetime, metadata: EventMetadata) -> NewSession:
        """Record a login with a password."""
        return self.log_in_via(Via.PASSWORD, AssuranceLevel.PASSWORD, account, at, metadata)

    def log_in_with_passkey(self, account: MainAccount, at: datetime, metadata: EventMetadata) -> NewSession:
        """Record a login with a passkey."""
        return self.log_in_via(Via.PASSKEY, AssuranceLevel.SECOND_FACTOR, account, at, metadata)

    def log_in_via(
        self, via: Via, assurance: AssuranceLevel, account: MainAccount, at: datetime, metadata: EventMetadata
    ) -> NewSession:
        """Record a login."""
        session = NewSession(account.id, self.entry.person_id, assurance, at)
        account.log_in_owner(session.session_id, via, at=at, metadata=metadata)
        return session

    def change_password(
        self, account: MainAccount, assurance: AssuranceLevel, at: datetime, metadata: EventMetadata
    ) -> NewSession:
        """Record a password change and a login."""
        account.change_details(password_changed=True, at=at, metadata=metadata)
        return self.log_in_via(Via.PASSWORD, assurance, account, at, metadata)

    def log_out(self, account: MainAccount, session_id: UUID | None, at: datetime, metadata: EventMetadata) -> None:
        """Record a logout."""
        account.log_out_owner(session_id, at=at, metadata=metadata)

    def record_refused_login(
        self, account: MainAccount, why: str, failures: int, at: datetime, metadata: EventMetadata
    ) -> None:
        """Record a refused login."""
        account.record_refused_owner_login(why, failures, at=at, metadata=metadata)


@dataclass(eq=False, repr=False)
class OwnerSessions(PasswordSignIn):
    """Commands of account owners who authenticate to this service themselves, not through the portal."""

    identity_type = OwnerIdentity

    links: ConsoleLinks

    def log_in(
        self, email: str, password: str, context: CommandContext, on_verified: Callable[[], None] = lambda: None
    ) -> Outcome[NewSession]:
        """Open a session. Raises `LoginRefused`, identical for all causes, `TooManyAttempts` or `TooBusy`."""
        email_hash = self.keyed_hasher.email(email)
        keys = owner_keys(self.keyed_hasher, email_hash, context.ip)
        return self._log_in(LoginAttempt(email_hash, email, password, keys, context), on_verified)

    def create_link(self, account_id: UUID, assurance: AssuranceLevel = AssuranceLevel.PASSWORD) -> str:
        """Return the secret of a link that opens one session of an account's owner within `LINK_LIFETIME`.

        The portal has authenticated the owner, at the level `assurance`. Raises `AccountNotFound` or `AccountIsClosed`.
        """
        if self.accounts.load(account_id).closed_at is not None:
            raise AccountIsClosed
        secret = new_token()
        self.links.add(token_hash(secret), ConsoleLink(account_id, assurance), self.clock() + LINK_LIFETIME)
        return secret

    def log_in_by_link(self, secret: str, context: CommandContext) -> Outcome[NewSession]:
        """Open a session with a link, which then becomes invalid. Raises `LoginRefused` for an invalid link.

        If two clients use a link at the same time, only one succeeds: both append to the same stream, so the second
        one has a version conflict, decides again, and does not find the link any more.
        """
        link_hash = token_hash(secret)
        link = self.links.find(link_hash, self.clock())
        if link is None:
            raise LoginRefused("unknown")
        identity = OwnerIdentity(load_owner_entry(self.vault, link.account_id))
        metadata = identity.metadata(context)

        def decide(account: MainAccount) -> tuple[NewSession, list[TransactionalWrite]]:
            at = self.clock()
            if self.links.find(link_hash, at) is None:
                raise LoginRefused("unknown")
            new_session = identity.log_in_via(Via.LINK, link.assurance, account, at, metadata)
            reset = ResetFailedAttempts(identity.throttle_key(self.keyed_hasher, account, identity.entry.key), at)
            device_writes = self.devices.record_sign_in(account, new_session, context, metadata)
            return new_session, [DeleteConsoleLink(link_hash), new_session.as_write(metadata), reset, *device_writes]

        return self.accounts.change(link.account_id, decide)

    def find_claimed(self, account_email_hash: str, email: str) -> ClaimedIdentity:  # noqa: ARG002  # the owner's e-mail is that of the account
        """Return the owner of the account with this e-mail."""
        account_id = self.directory.find_account_id(account_email_hash, self.clock()) or UNKNOWN_ID
        entry = self.vault.entries([account_id]).get(account_id)
        return ClaimedIdentity(account_id, OwnerIdentity(entry), entry.key) if entry is not None else ClaimedIdentity()
