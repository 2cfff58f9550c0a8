"""What a main account asks of its sub-users, through the portal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.attempts import attempt_keys
from application.keys import keys_among, owner_and_sub_user_keys, owner_key
from application.records import AttemptsForgiven, PasswordSet, PersonHeld, Record, TemporaryPasswordExpirySet
from application.resources import SessionDetails, SubUserDetails, session_details, sub_user_details
from application.turns import Turns
from domain.refusals import RevisionMismatch, SubUserIsInactive
from domain.sub_user import SubUser, SubUserEdit

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.ahead import Ahead
    from application.main_accounts import MainAccounts, Outcome
    from application.origin import Origin
    from application.ports import Clock, Fingerprints, Passwords, PersonKey, Sessions, Vault
    from domain.cause import Sealed
    from domain.main_account import MainAccount

TEMPORARY_PASSWORD_LIFETIME = timedelta(days=7)
"""How long a temporary password may be used (DESIGN rule 5; ASVS 6.4.1 wants it short)."""


@dataclass(frozen=True)
class SubUserChanges:
    """What is to change of a sub-user, in the clear; None leaves a thing as it is.

    `expiry_given` tells "no expiry any more" from "leave it". `if_revision`, where given, must be the present one.
    """

    name: str | None = field(default=None, repr=False)
    surname: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    visible: bool | None = None
    active: bool | None = None
    expiry_given: bool = False
    access_expires_at: datetime | None = None
    if_revision: int | None = None


class SubUsers:
    """The commands on sub-users."""

    def __init__(
        self,
        accounts: MainAccounts,
        vault: Vault,
        fingerprints: Fingerprints,
        passwords: Passwords,
        clock: Clock,
        *,
        sessions: Sessions,
        erasure_delay: timedelta = timedelta(),
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._fingerprints = fingerprints
        self._passwords = passwords
        self._clock = clock
        self._sessions = sessions
        self._erasure_delay = erasure_delay
        self._creating = Turns()

    def create(
        self,
        account_id: UUID,
        origin: Origin,
        *,
        email: str,
        name: str,
        surname: str,
        password: str | None = None,
        visible: bool = True,
        access_expires_at: datetime | None = None,
        keep: Callable[[SubUserDetails, PersonKey], list[Record]] = lambda _details, _key: [],
    ) -> Outcome[SubUserDetails]:
        """Let a collaborator in, inactive as yet. With no password given one is made that nobody but they will see.

        Raises `SubUserLimitReached` or `SubUserEmailTaken`, before the cost of hashing where that is clear already.
        """
        email_hash = self._fingerprints.sub_user_email(account_id, email)
        if password is not None:
            self._passwords.require_good("password", password, [email, name, surname])
        owner = owner_key(self._vault, account_id)
        with self._creating.of(account_id.int):  # of many at once none hashes for the place that another has taken
            self._accounts.load(account_id).require_room_for(email_hash)
            temporary = password or self._passwords.generate()
            password_hash = self._passwords.hash(temporary)
            sub_user_id = uuid4()
            key, person = self._vault.new_person(sub_user_id, account_id)

            def decide(account: MainAccount) -> tuple[SubUserDetails, list[Record]]:
                at = self._clock()
                account.create_sub_user(
                    sub_user_id,
                    email=key.seal("email", email),
                    email_hash=email_hash,
                    name=key.seal("name", name),
                    surname=key.seal("surname", surname),
                    visible=visible,
                    access_expires_at=access_expires_at,
                    at=at,
                    cause=origin.sealed_with(owner),
                )
                sub_user = account.sub_user(sub_user_id)
                password_set = _password_set(sub_user, temporary, password_hash, key, at, to_be_mailed=True)
                details = sub_user_details(account_id, sub_user, key)
                return details, [person, password_set, *keep(details, key)]

            return self._accounts.change(account_id, decide)

    def change(
        self,
        account_id: UUID,
        sub_user_id: UUID,
        changes: SubUserChanges,
        origin: Origin,
        ahead: Ahead | None = None,
    ) -> Outcome[SubUserDetails]:
        """Change several things of a sub-user at once, all or nothing. Raises `RevisionMismatch`."""
        entries = ahead.entries if ahead is not None else self._vault.entries([account_id, sub_user_id])
        owner, key = keys_among(entries, account_id, sub_user_id)
        temporary = cache(lambda: changes.password or self._passwords.generate())
        hashed = cache(lambda: self._passwords.hash(temporary()))
        if changes.password is not None or changes.active:
            before = self._accounts.load(account_id)
            if changes.password is not None:
                self._require_good(changes, before.sub_user(sub_user_id), key)
            if changes.password is not None or before.needs_new_password(sub_user_id, SubUserEdit(active=True)):
                hashed()  # now, while nobody waits for this account

        def decide(account: MainAccount) -> tuple[SubUserDetails, list[Record]]:
            at = self._clock()
            sub_user = account.sub_user(sub_user_id)
            if changes.if_revision not in {None, sub_user.revision}:
                raise RevisionMismatch
            edit = _edit(changes, sub_user, key)
            new_password = edit.new_password or account.needs_new_password(sub_user_id, edit)
            account.edit_sub_user(sub_user_id, edit, at=at, cause=origin.sealed_with(owner))
            after = account.sub_user(sub_user_id)
            records: list[Record] = []
            if new_password:
                to_be_mailed = after.active or not after.was_activated
                records = [
                    _password_set(after, temporary(), hashed(), key, at, to_be_mailed=to_be_mailed),
                    self._attempts_forgiven(account, after, key),
                ]
            elif after.active and not sub_user.active:
                records = [
                    TemporaryPasswordExpirySet(sub_user_id, at + TEMPORARY_PASSWORD_LIFETIME),
                    self._attempts_forgiven(account, after, key),
                ]
            return sub_user_details(account_id, after, key), records

        return self._accounts.change(account_id, decide, ahead.newer if ahead is not None else None)

    def send_credentials_again(
        self,
        account_id: UUID,
        sub_user_id: UUID,
        origin: Origin,
        *,
        keep: Callable[[SubUserDetails, PersonKey], list[Record]] = lambda _details, _key: [],
    ) -> Outcome[SubUserDetails]:
        """Issue new access data and mail it. Raises `SubUserIsInactive`."""
        owner, key = owner_and_sub_user_keys(self._vault, account_id, sub_user_id)
        if not self._accounts.load(account_id).sub_user(sub_user_id).active:
            raise SubUserIsInactive
        temporary = self._passwords.generate()
        password_hash = self._passwords.hash(temporary)

        def decide(account: MainAccount) -> tuple[SubUserDetails, list[Record]]:
            at = self._clock()
            account.send_credentials_again(sub_user_id, at=at, cause=origin.sealed_with(owner))
            sub_user = account.sub_user(sub_user_id)
            password_set = _password_set(sub_user, temporary, password_hash, key, at, to_be_mailed=True)
            details = sub_user_details(account_id, sub_user, key)
            return details, [password_set, self._attempts_forgiven(account, sub_user, key), *keep(details, key)]

        return self._accounts.change(account_id, decide)

    def delete(
        self, account_id: UUID, sub_user_id: UUID, origin: Origin, *, if_revision: int | None = None
    ) -> Outcome[None]:
        """Remove a sub-user for good: every session ends at once, and what is known of them becomes unreadable.

        That too is at once, unless the operator has it held for a while.
        """
        owner, key = owner_and_sub_user_keys(self._vault, account_id, sub_user_id)

        def decide(account: MainAccount) -> tuple[None, list[Record]]:
            sub_user = account.sub_user(sub_user_id)
            if if_revision not in {None, sub_user.revision}:
                raise RevisionMismatch
            at, held = self._clock(), self._erasure_delay > timedelta()
            account.delete_sub_user(sub_user_id, held=held, at=at, cause=origin.sealed_with(owner))
            hold = PersonHeld(sub_user_id, account_id, at + self._erasure_delay)
            return None, [self._attempts_forgiven(account, sub_user, key), *([hold] if held else [])]

        return self._accounts.change(account_id, decide)

    def end_sessions(self, account_id: UUID, sub_user_id: UUID, origin: Origin) -> Outcome[None]:
        """End every session of a sub-user; they may log in again."""
        owner, _ = owner_and_sub_user_keys(self._vault, account_id, sub_user_id)

        def decide(account: MainAccount) -> tuple[None, list[Record]]:
            account.log_out(sub_user_id, None, at=self._clock(), cause=origin.sealed_with(owner))
            return None, []

        return self._accounts.change(account_id, decide)

    def sessions(self, account_id: UUID, sub_user_id: UUID) -> list[SessionDetails]:
        """Return a sub-user's sessions that are good now, newest first. Raises `SubUserNotFound`."""
        _, key = owner_and_sub_user_keys(self._vault, account_id, sub_user_id)
        self._accounts.load(account_id).sub_user(sub_user_id)
        return [session_details(session, key) for session in self._sessions.of_person(sub_user_id, self._clock())]

    def _attempts_forgiven(self, account: MainAccount, sub_user: SubUser, key: PersonKey) -> AttemptsForgiven:
        """Have failures so far count no more; a delay for one client runs its time."""
        email_hash = self._fingerprints.email(key.open("email", sub_user.email))
        keys = attempt_keys(self._fingerprints, account.email_hash, email_hash, None)
        return AttemptsForgiven([keys.delayed, keys.counted])

    def _require_good(self, changes: SubUserChanges, sub_user: SubUser, key: PersonKey) -> None:
        names = [
            changes.name or key.open("name", sub_user.name),
            changes.surname or key.open("surname", sub_user.surname),
        ]
        self._passwords.require_good("password", changes.password or "", [key.open("email", sub_user.email), *names])


def _edit(changes: SubUserChanges, sub_user: SubUser, key: PersonKey) -> SubUserEdit:
    """Return what really changes, sealed: a name that stays the same is no change."""
    return SubUserEdit(
        name=_sealed_anew("name", changes.name, sub_user.name, key),
        surname=_sealed_anew("surname", changes.surname, sub_user.surname, key),
        visible=changes.visible,
        active=changes.active,
        expiry_given=changes.expiry_given,
        access_expires_at=changes.access_expires_at,
        new_password=changes.password is not None,
    )


def _sealed_anew(field: str, new: str | None, sealed: Sealed, key: PersonKey) -> Sealed | None:
    return key.seal(field, new) if new is not None and new != key.open(field, sealed) else None


def _password_set(
    sub_user: SubUser, password: str, password_hash: str, key: PersonKey, at: datetime, *, to_be_mailed: bool
) -> PasswordSet:
    return PasswordSet(
        person_id=sub_user.sub_user_id,
        password_hash=password_hash,
        must_change=True,
        expires_at=at + TEMPORARY_PASSWORD_LIFETIME,
        credentials=sub_user.credentials,
        sealed_password=key.seal("password", password) if to_be_mailed else None,
    )
