"""The owner of a main account logs in, chooses another password, logs out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from application.attempts import AttemptKeys, owner_attempt_keys
from application.errors import SessionEnded, TooBusy
from application.keys import owner_key
from application.new_session import NewSession, new_token, token_hash
from application.password_checks import PasswordChecks
from application.records import AttemptsForgiven, LinkSpent, PasswordSet, Record
from application.turns import Turns
from domain.cause import Via
from domain.main_account import LOCKING_FAILURES
from domain.refusals import AccountIsClosed, LoginRefused

if TYPE_CHECKING:
    from uuid import UUID

    from application.main_accounts import MainAccounts, Outcome
    from application.origin import Origin
    from application.ports import (
        AccountDirectory,
        Clock,
        ConsoleLinks,
        Fingerprints,
        Passwords,
        Session,
        Sessions,
        Throttle,
        Vault,
        VaultEntry,
    )
    from domain.main_account import MainAccount

LINK_LIFETIME = timedelta(seconds=60)
"""For how long a link is good: the time that a browser takes to follow a redirection, and to spare."""


@dataclass(frozen=True)
class OpenedOwnerSession:
    """A new session of an account's owner. Only here is its token ever seen."""

    token: str = field(repr=False)
    expires_at: datetime
    account_id: UUID


class OwnerSessions:
    """The commands of an account's owner in person, where no portal vouches for them."""

    def __init__(
        self,
        accounts: MainAccounts,
        vault: Vault,
        fingerprints: Fingerprints,
        passwords: Passwords,
        clock: Clock,
        *,
        sessions: Sessions,
        directory: AccountDirectory,
        throttle: Throttle,
        links: ConsoleLinks,
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._fingerprints = fingerprints
        self._passwords = passwords
        self._clock = clock
        self._sessions = sessions
        self._directory = directory
        self._throttle = throttle
        self._links = links
        self._checks = PasswordChecks(vault, fingerprints, passwords, clock, throttle)
        self._turns = Turns()

    def log_in(self, email: str, password: str, origin: Origin) -> Outcome[OpenedOwnerSession]:
        """Open a session. Raises `LoginRefused`, the same whatever was wrong, `TooManyAttempts` or `TooBusy`.

        The password is verified whether there is such an account or not, outside any transaction.
        """
        email_hash = self._fingerprints.email(email)
        keys = owner_attempt_keys(self._fingerprints, email_hash, origin.ip)
        with self._turns.of(int.from_bytes(keys.counted)):  # or many guesses at once would count as one
            self._checks.require_patience(keys)
            entry = self._entry_of(email_hash)
            try:
                return self._open_with(entry, password, keys, origin)
            except LoginRefused as refused:
                self._note_refusal(entry, refused.why, keys, origin)
                raise

    def offer_link(self, account_id: UUID) -> str:
        """Return a secret that opens one session of this account's owner, within `LINK_LIFETIME`.

        It is the portal's word for it that they are the owner. Raises `AccountNotFound`, `AccountIsClosed`.
        """
        if self._accounts.load(account_id).closed_at is not None:
            raise AccountIsClosed
        secret = new_token()
        self._links.add(token_hash(secret), account_id, self._clock() + LINK_LIFETIME)
        return secret

    def log_in_by_link(self, secret: str, origin: Origin) -> Outcome[OpenedOwnerSession]:
        """Open a session with a link, which is spent with that. Raises `LoginRefused` unless it is good.

        Of two who use it at once one gets in: both append to the same stream, so that the one who comes second decides
        anew, and finds the link gone.
        """
        link_hash = token_hash(secret)
        account_id = self._links.find(link_hash, self._clock())
        if account_id is None:
            raise LoginRefused("unknown")
        cause = origin.by_owner(account_id).sealed_with(owner_key(self._vault, account_id))
        new = NewSession(account_id, account_id)

        def decide(account: MainAccount) -> tuple[OpenedOwnerSession, list[Record]]:
            at = self._clock()
            if self._links.find(link_hash, at) is None:
                raise LoginRefused("unknown")
            account.log_in_owner(new.session_id, Via.LINK, at=at, cause=cause)
            keys = owner_attempt_keys(self._fingerprints, account.email_hash, origin.ip)
            return _opened(new, at), [LinkSpent(link_hash), new.record(at, cause), AttemptsForgiven(keys.in_a_row)]

        return self._accounts.change(account_id, decide)

    def current(self, token: str) -> Session:
        """Return the session of an owner's token. Raises `SessionEnded`, also for a sub-user's."""
        session = self._sessions.find(token_hash(token), self._clock())
        if session is None or not session.of_owner:
            raise SessionEnded
        return session

    def change_password(
        self, token: str, current_password: str, new_password: str, origin: Origin
    ) -> Outcome[OpenedOwnerSession]:
        """Replace the owner's password, end all their sessions, and open a new one.

        Raises `SessionEnded`, `InvalidValue`, or `TooManyAttempts` after too many wrong current passwords.
        """
        session = self.current(token)
        entry = self._entry(session.account_id)
        self.current(token)  # what ended it meanwhile may have put another password into this entry
        self._checks.require_current(entry, current_password)
        account = self._accounts.load(session.account_id)
        about = [entry.key.open(name, getattr(account, name)) for name in ("email", "company_name")]
        new_hash = self._checks.hash_of_new(entry, new_password, about)
        cause = origin.by_owner(session.account_id).sealed_with(entry.key)
        new = NewSession(session.account_id, session.account_id)

        def decide(account: MainAccount) -> tuple[OpenedOwnerSession, list[Record]]:
            at = self._clock()
            self.current(token)  # it may have been ended while the new password was hashed
            self._checks.require_same(entry)
            account.change_details(password_changed=True, at=at, cause=cause)
            account.log_in_owner(new.session_id, Via.PASSWORD, at=at, cause=cause)
            password_set = PasswordSet.chosen(entry.person_id, new_hash, entry.credentials + 1)
            forgiven = AttemptsForgiven(self._checks.own_password_keys(entry).in_a_row)
            return _opened(new, at), [password_set, new.record(at, cause), forgiven]

        return self._accounts.change(session.account_id, decide)

    def log_out(self, token: str, origin: Origin, *, everywhere: bool = False) -> Outcome[None]:
        """End the session of a token, or every session of the owner's. Raises `SessionEnded`."""
        session = self.current(token)
        cause = origin.by_owner(session.account_id).sealed_with(self._entry(session.account_id).key)

        def decide(account: MainAccount) -> tuple[None, list[Record]]:
            self.current(token)
            account.log_out_owner(None if everywhere else session.session_id, at=self._clock(), cause=cause)
            return None, []

        return self._accounts.change(session.account_id, decide)

    def _open_with(
        self, entry: VaultEntry | None, password: str, keys: AttemptKeys, origin: Origin
    ) -> Outcome[OpenedOwnerSession]:
        verified = self._passwords.verify(entry.password_hash if entry else None, password)
        if entry is None:
            raise LoginRefused("unknown")
        if not verified:
            raise LoginRefused("wrong_password")
        if self._throttle.failures(keys.counted) >= LOCKING_FAILURES:
            raise LoginRefused("locked")
        cause = origin.by_owner(entry.account_id).sealed_with(entry.key)
        rehashed = self._checks.rehashed(entry, password)
        new = NewSession(entry.account_id, entry.account_id)

        def decide(account: MainAccount) -> tuple[OpenedOwnerSession, list[Record]]:
            at = self._clock()
            self._checks.require_same(entry)
            account.log_in_owner(new.session_id, Via.PASSWORD, at=at, cause=cause)
            return _opened(new, at), [new.record(at, cause), *rehashed, AttemptsForgiven(keys.in_a_row)]

        return self._accounts.change(entry.account_id, decide)

    def _note_refusal(self, entry: VaultEntry | None, why: str, keys: AttemptKeys, origin: Origin) -> None:
        failures = self._throttle.failed(keys, self._clock())
        if entry is None:
            return
        cause = origin.by_nobody_known().sealed_with(entry.key)

        def decide(account: MainAccount) -> tuple[None, list[Record]]:
            account.note_refused_owner_login(why, failures, at=self._clock(), cause=cause)
            return None, []

        with suppress(TooBusy):  # an answer of its own would tell that there is such an account
            self._accounts.change(entry.account_id, decide)

    def _entry_of(self, email_hash: str) -> VaultEntry | None:
        account_id = self._directory.find(email_hash)
        return self._vault.entries([account_id]).get(account_id) if account_id is not None else None

    def _entry(self, account_id: UUID) -> VaultEntry:
        entry = self._vault.entries([account_id]).get(account_id)
        if entry is None:
            raise SessionEnded
        return entry


def _opened(new: NewSession, at: datetime) -> OpenedOwnerSession:
    return OpenedOwnerSession(new.token, new.expires_at(at), new.account_id)
