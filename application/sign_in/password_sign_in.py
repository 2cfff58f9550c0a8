"""Sign-in with a password, the same for sub-users and account owners: login, password change, logout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from application.email_hashes import sign_in_email_hashes
from application.errors import SessionEnded, TooBusy, TooManyAttempts
from application.keyed_locks import KeyedLocks
from application.sign_in.login_throttling import LoginThrottling
from application.sign_in.new_session import token_hash
from application.sign_in.password_checks import PasswordChecks
from application.throttle_keys import unknown_sub_users_key
from application.transactional_writes import ResetFailedAttempts, StorePassword, TransactionalWrite
from domain.assurance_level import AssuranceLevel
from domain.refusals import AccountNotFound, LoginRefused, OwnPasswordNeeded, SecondFactorNeeded, SubUserNotFound

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from application.command_context import CommandContext
    from application.ports.account_directory import AccountDirectory
    from application.ports.clock import Clock
    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.passwords import Passwords
    from application.ports.sessions import Session, Sessions
    from application.ports.throttle import Admission, AttemptKeys, Throttle
    from application.ports.vault import PersonKey, Vault, VaultEntry
    from application.repository import MainAccounts, Outcome
    from application.sign_in.known_devices import KnownDevices
    from application.sign_in.new_session import NewSession
    from domain.event_metadata import EventMetadata
    from domain.main_account import MainAccount

UNKNOWN_ID = UUID(int=0)
"""An id without a row, looked up for unknown people so that they take the same number of round trips."""


@dataclass(frozen=True)
class Identity(ABC):
    """A person with a password: what differs between a sub-user and an account's owner."""

    is_owner: ClassVar[bool]
    entry: VaultEntry

    @property
    @abstractmethod
    def sub_user_id(self) -> UUID | None:
        """Id of the sub-user, None for the owner."""

    @abstractmethod
    def metadata(self, context: CommandContext) -> EventMetadata:
        """Return the metadata of a command by this person."""

    @abstractmethod
    def throttle_key(self, keyed_hasher: KeyedHasher, account: MainAccount, owner_key: PersonKey) -> bytes:
        """Return the key under which the throttle counts refused logins as this person."""

    @abstractmethod
    def forbidden_texts(self, account: MainAccount) -> list[str]:
        """Return the texts that a new password must not contain."""

    @abstractmethod
    def email(self, account: MainAccount) -> str:
        """Return the person's e-mail."""

    @abstractmethod
    def end_of_access(self, account: MainAccount) -> datetime | None:
        """Return the time at which the person's access ends, if any."""

    @abstractmethod
    def log_in(self, account: MainAccount, at: datetime, metadata: EventMetadata) -> NewSession:
        """Record a login, and return its session. Raises `LoginRefused` if the person has no access."""

    @abstractmethod
    def log_in_with_passkey(self, account: MainAccount, at: datetime, metadata: EventMetadata) -> NewSession:
        """Record a login with a passkey alone, and return its session. Raises `LoginRefused`."""

    @abstractmethod
    def change_password(
        self, account: MainAccount, assurance: AssuranceLevel, at: datetime, metadata: EventMetadata
    ) -> NewSession:
        """Record a password change and the login that follows it, and return its session, of the level `assurance`."""

    @abstractmethod
    def log_out(self, account: MainAccount, session_id: UUID | None, at: datetime, metadata: EventMetadata) -> None:
        """Record that a session ends, or all sessions of this person (None)."""

    @abstractmethod
    def record_refused_login(
        self, account: MainAccount, why: str, failures: int, at: datetime, metadata: EventMetadata
    ) -> None:
        """Record a refused login. After many in a row, record only some."""


@dataclass(frozen=True)
class LoginAttempt:
    """One login attempt. `email` is the address of the person who logs in."""

    account_email_hash: str
    email: str = field(repr=False)
    password: str = field(repr=False)
    keys: AttemptKeys = field(repr=False)
    context: CommandContext


@dataclass(frozen=True)
class ClaimedIdentity:
    """The account and the person that an attempt names, if they exist.

    `account` is set if it was loaded before the person's vault entry was read. Every password change appends an event,
    so the entry is then current while the account still has the same version.
    """

    account_id: UUID | None = None
    identity: Identity | None = None
    owner_key: PersonKey | None = field(default=None, repr=False)
    account: MainAccount | None = None


@dataclass(eq=False, repr=False)
class PasswordSignIn(ABC):
    """Commands of people on their own sessions and password."""

    identity_type: ClassVar[type[Identity]]

    accounts: MainAccounts
    vault: Vault
    keyed_hasher: KeyedHasher
    passwords: Passwords
    clock: Clock
    sessions: Sessions
    directory: AccountDirectory
    throttle: Throttle
    devices: KnownDevices

    def __post_init__(self) -> None:
        self.throttling = LoginThrottling(self.throttle, self.clock)
        self.checks = PasswordChecks(self.vault, self.keyed_hasher, self.passwords, self.throttling)
        self.locks = KeyedLocks()

    def current(self, token: str) -> Session:
        """Return the session of a token. Raises `SessionEnded`, also for a token of the other kind of person."""
        session = self.sessions.find(token_hash(token), self.clock())
        if session is None or session.belongs_to_owner is not self.identity_type.is_owner:
            raise SessionEnded
        return session

    def change_password(
        self,
        token: str,
        current_password: str,
        new_password: str,
        context: CommandContext,
        on_verified: Callable[[], None] = lambda: None,
    ) -> Outcome[NewSession]:
        """Replace a person's password with one that they chose, end all their sessions, and open a new one.

        Raises `SessionEnded`, `InvalidValue`, or `TooManyAttempts` after too many wrong current passwords.
        """
        session = self.current(token)
        identity, owner_key = self.identity_and_owner_key(session)
        entry = identity.entry
        self.current(token)  # if a password change ended the session, the entry may have the new password
        forbidden_texts = identity.forbidden_texts(self.accounts.load(session.account_id))
        new_hash = self.checks.check_and_hash_new(entry, current_password, new_password, forbidden_texts, on_verified)
        metadata = identity.metadata(context)

        def decide(account: MainAccount) -> tuple[NewSession, list[TransactionalWrite]]:
            at = self.clock()
            self.current(token)  # the session may have ended while the new password was hashed
            self.checks.ensure_unchanged(entry)
            current_forbidden_texts = identity.forbidden_texts(account)
            if current_forbidden_texts != forbidden_texts:
                self.passwords.ensure_strong("new_password", new_password, current_forbidden_texts)
            assurance = session.assurance.at_least(AssuranceLevel.PASSWORD)
            new_session = identity.change_password(account, assurance, at, metadata)
            store_password = StorePassword.chosen(entry.person_id, new_hash, entry.credentials_version + 1)
            reset = ResetFailedAttempts(identity.throttle_key(self.keyed_hasher, account, owner_key), at)
            device_writes = self.devices.record_sign_in(
                account, new_session, context, metadata, is_password_change=True
            )
            return new_session, [store_password, new_session.as_write(metadata), reset, *device_writes]

        return self.accounts.change(session.account_id, decide)

    def unrestricted(self, token: str) -> Session:
        """Return the session of a token. Raises `SessionEnded`, `OwnPasswordNeeded` or `SecondFactorNeeded`."""
        session = self.current(token)
        if session.assurance.is_restricted:
            raise OwnPasswordNeeded
        if session.step_up_required:
            raise SecondFactorNeeded
        return session

    def log_out(self, token: str, context: CommandContext, *, everywhere: bool = False) -> Outcome[None]:
        """End the session of a token, or all sessions of its person. Raises `SessionEnded`."""
        session = self.current(token)
        identity, _ = self.identity_and_owner_key(session)
        metadata = identity.metadata(context)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            self.current(token)
            identity.log_out(account, None if everywhere else session.session_id, self.clock(), metadata)
            return None, []

        return self.accounts.change(session.account_id, decide)

    def identity_and_owner_key(self, session: Session) -> tuple[Identity, PersonKey]:
        """Return the identity of a session's person, and the key of their account's owner."""
        entries = self.vault.entries([session.person_id, session.account_id])
        if session.person_id not in entries or session.account_id not in entries:
            raise SessionEnded
        return self.identity_type(entries[session.person_id]), entries[session.account_id].key

    @abstractmethod
    def find_claimed(self, account_email_hash: str, email: str) -> ClaimedIdentity:
        """Return the person with an e-mail, after the same number of round trips in all cases."""

    def _log_in(self, attempt: LoginAttempt, on_verified: Callable[[], None]) -> Outcome[NewSession]:
        """Verify a password and open a session, or count and record a refusal.

        A password is verified even if the person does not exist, and outside of any transaction. `on_verified` is
        called right after that. The duration from then on depends on the cause of a refusal.
        """
        with self.locks.hold(attempt.keys.identity):
            admission = self.throttling.reserve(attempt.keys)
            claimed = ClaimedIdentity()
            try:
                claimed = self.find_claimed(attempt.account_email_hash, attempt.email)
                password_hash = claimed.identity.entry.password_hash if claimed.identity else None
                is_right = self.passwords.verify(password_hash, attempt.password)
                on_verified()
                outcome = self._open_session(claimed, attempt, admission, is_right=is_right)
            except LoginRefused as refused:
                self._handle_refusal(claimed, refused.why, attempt, admission)
                raise
            except (SubUserNotFound, AccountNotFound):
                self._handle_refusal(claimed, "unknown", attempt, admission)
                raise LoginRefused("unknown") from None
            except BaseException:
                self.throttling.cancel(admission.reservation)
                raise
            self.throttling.succeed(admission.reservation)
            return outcome

    def _open_session(
        self, claimed: ClaimedIdentity, attempt: LoginAttempt, admission: Admission, *, is_right: bool
    ) -> Outcome[NewSession]:
        """Open a session if the password is right and not locked, and the person has access."""
        identity = claimed.identity
        owner_key = claimed.owner_key
        if identity is None or owner_key is None:
            raise LoginRefused("unknown")
        if admission.is_locked:
            raise LoginRefused("locked")
        if not is_right:
            raise LoginRefused("wrong_password")
        entry = identity.entry
        rehash_writes = self.checks.rehash_writes(entry, attempt.password)
        metadata = identity.metadata(attempt.context)
        verified_version = claimed.account.version if claimed.account is not None else None

        def decide(account: MainAccount) -> tuple[NewSession, list[TransactionalWrite]]:
            at = self.clock()
            # The e-mail may have stopped working, for example because its change was undone.
            if attempt.account_email_hash not in sign_in_email_hashes(self.keyed_hasher, owner_key, account, at):
                raise LoginRefused("unknown")
            if entry.must_change and entry.password_expires_at is not None and entry.password_expires_at <= at:
                raise LoginRefused("temporary_password_expired")
            if account.version != verified_version:
                self.checks.ensure_unchanged(entry)
            new_session = identity.log_in(account, at, metadata)
            device_writes = self.devices.record_sign_in(account, new_session, attempt.context, metadata)
            return new_session, [new_session.as_write(metadata), *rehash_writes, *device_writes]

        return self.accounts.change(entry.account_id, decide, loaded=claimed.account)

    def _handle_refusal(self, claimed: ClaimedIdentity, why: str, attempt: LoginAttempt, admission: Admission) -> None:
        """Count and record a refusal. Raises `TooManyAttempts` if the attempt was admitted only by an exemption."""
        is_unknown_sub_user = claimed.account_id is not None and claimed.identity is None
        # One common counter limits the number of events that guesses at e-mails can add to the history.
        tally = unknown_sub_users_key(self.keyed_hasher, attempt.account_email_hash) if is_unknown_sub_user else None
        failures = self.throttling.fail(admission.reservation, tally)
        if claimed.account_id is not None:
            with suppress(TooBusy, AccountNotFound):  # another response would reveal that the account exists
                self._record_refusal(claimed.account_id, claimed.identity, why, failures, attempt.context)
        if admission.seconds_to_wait_without_exemption > 0:
            raise TooManyAttempts(admission.seconds_to_wait_without_exemption)

    def _record_refusal(
        self, account_id: UUID, identity: Identity | None, why: str, failures: int, context: CommandContext
    ) -> None:
        entry = identity.entry if identity is not None else self.vault.entries([account_id]).get(account_id)
        if entry is None:  # the owner has been erased
            return
        metadata = context.by_anonymous().encrypted_with(entry.key)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            if identity is not None:
                identity.record_refused_login(account, why, failures, self.clock(), metadata)
            else:
                account.record_refused_login(None, why, failures, at=self.clock(), metadata=metadata)
            return None, []

        self.accounts.change(account_id, decide)
