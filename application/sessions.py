"""Logging in, what a session allows, a password of one's own, logging out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eventsourcing.application import LRUCache

from application.ahead import Guess
from application.attempts import AttemptKeys, attempt_keys
from application.errors import SessionEnded, TooBusy, TooManyAttempts
from application.new_session import NewSession, token_hash
from application.password_checks import PasswordChecks
from application.records import AttemptsForgiven, PasswordSet, Record
from application.turns import Turns
from domain.permissions import OPERATIONAL, Permission
from domain.refusals import AccountNotFound, LoginRefused, SubUserNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from application.ahead import AheadOfLogin, AttemptAhead
    from application.api_keys import ApiKey
    from application.main_accounts import MainAccounts, Outcome
    from application.origin import Origin
    from application.ports import (
        Clock,
        Fingerprints,
        Passwords,
        Session,
        Sessions,
        Throttle,
        Vault,
        VaultEntry,
    )
    from domain.main_account import MainAccount
    from domain.sub_user import SubUser


ACCOUNTS_REMEMBERED = 1000
"""By the hash of their e-mail: as many as are kept at hand."""


@dataclass(frozen=True)
class OpenedSession:
    """A new session. Only here is its token ever seen."""

    token: str = field(repr=False)
    expires_at: datetime
    account_id: UUID
    sub_user_id: UUID
    must_change_password: bool

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """What the session allows: with a temporary password nothing but to replace it."""
        return permissions_of(restricted=self.must_change_password)


def permissions_of(*, restricted: bool) -> tuple[Permission, ...]:
    """Return what a session allows, from the sub-user's present state."""
    return () if restricted else OPERATIONAL


@dataclass(frozen=True)
class Attempt:
    """One attempt to log in, and the keys under which its failure counts."""

    account_email_hash: str
    email: str = field(repr=False)
    password: str = field(repr=False)
    keys: AttemptKeys = field(repr=False)

    @property
    def number(self) -> int:
        """The number of turns at the same person."""
        return int.from_bytes(self.keys.counted)


@dataclass(frozen=True)
class LookedAhead:
    """What an attempt begins with, read when so many turns at the same person had ended; None if there was one."""

    attempt: Attempt
    ended: int | None
    guess: Guess | None
    ahead: AttemptAhead


@dataclass(frozen=True)
class Claimed:
    """Whom an attempt claims to be, as far as there is such a person, and their password.

    As long as the account is of that `version`, the password is the same: it changes with an event.
    """

    account_id: UUID | None = None
    version: int = 0
    entry: VaultEntry | None = None


class SubUserSessions:
    """The commands of a sub-user, and the question whether one may do something."""

    def __init__(
        self,
        accounts: MainAccounts,
        vault: Vault,
        fingerprints: Fingerprints,
        passwords: Passwords,
        clock: Clock,
        *,
        sessions: Sessions,
        throttle: Throttle,
        ahead: AheadOfLogin,
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._fingerprints = fingerprints
        self._passwords = passwords
        self._clock = clock
        self._sessions = sessions
        self._throttle = throttle
        self._ahead = ahead
        self._checks = PasswordChecks(vault, fingerprints, passwords, clock, throttle)
        self._turns = Turns()
        self._account_ids: LRUCache[str, UUID] = LRUCache(ACCOUNTS_REMEMBERED)

    def look_ahead(
        self, api_key: str, account_email: str, email: str, password: str, ip: str | None
    ) -> tuple[ApiKey | None, LookedAhead]:
        """Return an API key, if it is good, and in the same read what logging in begins with."""
        attempt = self._attempt(account_email, email, password, ip)
        ended = self._turns.ended(attempt.number)
        guess, ahead = self._look_ahead(attempt, api_key)
        return ahead.api_key, LookedAhead(attempt, ended, guess, ahead)

    def log_in(
        self, account_email: str, email: str, password: str, origin: Origin, looked: LookedAhead | None = None
    ) -> Outcome[OpenedSession]:
        """Open a session. Raises `LoginRefused`, the same whatever was wrong, or `TooManyAttempts`.

        The password is verified whether there is such a sub-user or not, outside any transaction. What was `looked` up
        ahead counts if nobody has tried the same since.
        """
        attempt = looked.attempt if looked is not None else self._attempt(account_email, email, password, origin.ip)
        with self._turns.of(attempt.number) as ended:  # or many guesses at once would count as one
            if looked is not None and looked.ended == ended:
                return self._log_in(attempt, looked.guess, looked.ahead, origin)
            return self._log_in(attempt, *self._look_ahead(attempt), origin)

    def _look_ahead(self, attempt: Attempt, api_key: str = "") -> tuple[Guess | None, AttemptAhead]:
        guess = self._guess(attempt)
        return guess, self._ahead.of_attempt(attempt.account_email_hash, attempt.keys, self._clock(), guess, api_key)

    def _log_in(
        self, attempt: Attempt, guess: Guess | None, ahead: AttemptAhead, origin: Origin
    ) -> Outcome[OpenedSession]:
        if ahead.seconds_to_wait > 0:
            raise TooManyAttempts(ahead.seconds_to_wait)
        claimed = self._claimed(ahead, guess, attempt)
        entry = claimed.entry
        verified = self._passwords.verify(entry.password_hash if entry else None, attempt.password)
        try:
            if entry is None:
                raise LoginRefused("unknown")
            if not verified:
                raise LoginRefused("wrong_password")
            forgiven = [AttemptsForgiven(attempt.keys.in_a_row)] if ahead.others_failed else []
            return self._open_session(
                entry, claimed.version, [*self._checks.rehashed(entry, attempt.password), *forgiven], origin
            )
        except (SubUserNotFound, AccountNotFound):
            self._note_refusal(claimed, "unknown", attempt, origin)
            raise LoginRefused("unknown") from None
        except LoginRefused as refused:
            self._note_refusal(claimed, refused.why, attempt, origin)
            raise

    def current(self, token: str) -> Session:
        """Return the session of a sub-user's token. Raises `SessionEnded`, also for an owner's."""
        session = self._sessions.find(token_hash(token), self._clock())
        if session is None or session.of_owner:
            raise SessionEnded
        return session

    def change_own_password(
        self, token: str, current_password: str, new_password: str, origin: Origin
    ) -> Outcome[OpenedSession]:
        """Give a sub-user a password of their own, end all their sessions, and open a new one.

        Raises `SessionEnded`, `InvalidValue`, or `TooManyAttempts` after too many wrong current passwords.
        """
        session = self.current(token)
        entry = self._entry(session)
        self.current(token)  # what ended it meanwhile may have put another password into this entry
        sub_user = self._accounts.load(session.account_id).sub_user(session.person_id)
        self._checks.require_current(entry, current_password)
        about = [entry.key.open(name, getattr(sub_user, name)) for name in ("email", "name", "surname")]
        new_hash = self._checks.hash_of_new(entry, new_password, about)
        cause = origin.by_sub_user(session.person_id).sealed_with(entry.key)

        def decide(account: MainAccount) -> tuple[OpenedSession, list[Record]]:
            at = self._clock()
            self.current(token)  # it may have been ended while the new password was hashed
            self._checks.require_same(entry)
            new = _new_session(account, account.sub_user(session.person_id), restricted=False)
            account.change_own_password(session.person_id, new.session_id, at=at, cause=cause)
            credentials = account.sub_user(session.person_id).credentials
            password_set = PasswordSet.chosen(session.person_id, new_hash, credentials)
            forgiven = AttemptsForgiven(self._checks.own_password_keys(entry).in_a_row)
            return _opened(new, at), [password_set, new.record(at, cause), forgiven]

        return self._accounts.change(session.account_id, decide)

    def log_out(self, token: str, origin: Origin) -> Outcome[None]:
        """End the session of a token. Raises `SessionEnded`."""
        session = self.current(token)
        cause = origin.by_sub_user(session.person_id).sealed_with(self._entry(session).key)

        def decide(account: MainAccount) -> tuple[None, list[Record]]:
            self.current(token)
            account.log_out(session.person_id, session.session_id, at=self._clock(), cause=cause)
            return None, []

        return self._accounts.change(session.account_id, decide)

    def _attempt(self, account_email: str, email: str, password: str, ip: str | None) -> Attempt:
        account_email_hash, email_hash = self._fingerprints.email(account_email), self._fingerprints.email(email)
        keys = attempt_keys(self._fingerprints, account_email_hash, email_hash, ip)
        return Attempt(account_email_hash, email, password, keys)

    def _guess(self, attempt: Attempt) -> Guess | None:
        """Return whom an attempt is about if nothing has changed since this process has seen their account."""
        try:
            account_id = self._account_ids.get(attempt.account_email_hash)
        except KeyError:
            return None
        known = self._accounts.at_hand(account_id)
        email_hash = self._fingerprints.sub_user_email(account_id, attempt.email)
        sub_user = known.sub_user_with_email(email_hash) if known is not None else None
        return Guess(account_id, sub_user.sub_user_id, known.version) if known is not None and sub_user else None

    def _claimed(self, ahead: AttemptAhead, guess: Guess | None, attempt: Attempt) -> Claimed:
        account_id = ahead.account_id
        if account_id is None:
            return Claimed()
        if guess is not None and guess.account_id == account_id:
            account = self._accounts.brought_up(account_id, ahead.of_guess.newer)
            if guess.sub_user_id in account.sub_users:  # else somebody else may have the e-mail now
                version = guess.version + len(ahead.of_guess.newer)
                return Claimed(account_id, version, ahead.of_guess.entries.get(guess.sub_user_id))
        self._account_ids.put(attempt.account_email_hash, account_id)
        return self._looked_up(account_id, self._fingerprints.sub_user_email(account_id, attempt.email))

    def _looked_up(self, account_id: UUID, email_hash: str) -> Claimed:
        account = self._accounts.load(account_id)
        sub_user = account.sub_user_with_email(email_hash)
        if sub_user is None:
            return Claimed(account_id)
        entry = self._vault.entries([sub_user.sub_user_id]).get(sub_user.sub_user_id)
        return Claimed(account_id, account.version, entry)

    def _open_session(
        self, entry: VaultEntry, version: int, records: Sequence[Record], origin: Origin
    ) -> Outcome[OpenedSession]:
        """Open a session for whom the password was right when their account was of this version."""
        cause = origin.by_sub_user(entry.person_id).sealed_with(entry.key)

        def decide(account: MainAccount) -> tuple[OpenedSession, list[Record]]:
            at = self._clock()
            if entry.must_change and entry.password_expires_at is not None and entry.password_expires_at <= at:
                raise LoginRefused("temporary_password_expired")
            if account.version != version:
                self._checks.require_same(entry)
            sub_user = account.sub_user(entry.person_id)
            new = _new_session(account, sub_user, restricted=sub_user.must_change_password)
            account.log_in(entry.person_id, new.session_id, at=at, cause=cause)
            return _opened(new, at), [new.record(at, cause), *records]

        return self._accounts.change(entry.account_id, decide, newer=())

    def _note_refusal(self, claimed: Claimed, why: str, attempt: Attempt, origin: Origin) -> None:
        failures = self._throttle.failed(attempt.keys, self._clock())
        if claimed.account_id is None:
            return
        if claimed.entry is None:  # counted together, or guessing e-mails would lengthen the history without end
            nobody = attempt_keys(self._fingerprints, attempt.account_email_hash, "nobody known", None)
            failures = self._throttle.failed(nobody, self._clock())
        person_id = claimed.entry.person_id if claimed.entry is not None else claimed.account_id
        entry = claimed.entry or self._vault.entries([person_id]).get(person_id)
        if entry is None:  # the owner has been erased meanwhile
            return
        cause = origin.by_nobody_known().sealed_with(entry.key)

        def decide(account: MainAccount) -> tuple[None, list[Record]]:
            sub_user_id = claimed.entry.person_id if claimed.entry is not None else None
            if sub_user_id is None or sub_user_id in account.sub_users:
                account.note_refused_login(sub_user_id, why, failures, at=self._clock(), cause=cause)
            return None, []

        with suppress(TooBusy):  # an answer of its own would tell that there is such an account
            self._accounts.change(claimed.account_id, decide)

    def _entry(self, session: Session) -> VaultEntry:
        entry = self._vault.entries([session.person_id]).get(session.person_id)
        if entry is None:
            raise SessionEnded
        return entry


def _new_session(account: MainAccount, sub_user: SubUser, *, restricted: bool) -> NewSession:
    return NewSession(account.id, sub_user.sub_user_id, restricted, sub_user.access_expires_at)


def _opened(new: NewSession, at: datetime) -> OpenedSession:
    return OpenedSession(
        token=new.token,
        expires_at=new.expires_at(at),
        account_id=new.account_id,
        sub_user_id=new.person_id,
        must_change_password=new.restricted,
    )
