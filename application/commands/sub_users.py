"""Commands on sub-users, which main accounts send through the portal or the console."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.commands.access_control.grants import GrantChanges
from application.commands.resources import SubUserDetails, sub_user_details
from application.contact_history import decrypted_emails
from application.data_keys import load_owner_and_sub_user_keys, load_owner_key
from application.email_hashes import email_hashes, owner_email_hash, sign_in_email_hashes
from application.errors import InvalidValue
from application.keyed_locks import KeyedLocks
from application.sign_in.mailed_links import NewLink
from application.throttle_keys import identity_key, identity_keys
from application.transactional_writes import (
    ForgetFailedAttempts,
    MoveAttemptExemption,
    PlaceLegalHold,
    ResetFailedAttempts,
    SetTemporaryPasswordExpiry,
    StorePassword,
    TransactionalWrite,
)
from domain.mails import LinkPurpose
from domain.refusals import RevisionMismatch
from domain.sub_user import TEMPORARY_PASSWORD_LIFETIME, CredentialsKind, NewEmail, SubUser, SubUserEdit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from application.command_context import CommandContext
    from application.commands.access_control import NewGrant, PermissionCatalogues
    from application.commands.resources import SessionDetails
    from application.ports.clock import Clock
    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.passwords import Passwords
    from application.ports.vault import PersonKey, Vault
    from application.repository import MainAccounts, Outcome
    from application.sign_in.open_sessions import OpenSessions
    from domain.event_metadata import Ciphertext
    from domain.main_account import MainAccount

    HashesUnderKeys = Callable[[frozenset[UUID]], frozenset[str]]
    """Function that returns the hashes of an e-mail under the keys of these sub-users."""

LINK_WITH_PASSWORD = "must not be link together with a password"
CREDENTIALS_NOT_MAILED = "is only allowed together with the status active, a new email or a new password"
"""Reasons to refuse the field `credentials`."""


@dataclass(frozen=True)
class SubUserChanges:
    """Changes of a sub-user, as plaintext. None leaves a value unchanged.

    `access_expires_at` is applied only if `changes_expiry`, because None removes the expiry. If `if_revisions` is not
    None, the changes only apply to a sub-user with one of these revisions. `credentials_kind` is what the credentials
    mail contains that the changes cause.
    """

    email: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    surname: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    visible: bool | None = None
    active: bool | None = None
    changes_expiry: bool = False
    access_expires_at: datetime | None = None
    credentials_kind: CredentialsKind | None = None
    if_revisions: Collection[int] | None = None

    def ensure_consistent(self) -> None:
        """Raise `InvalidValue` if the changes can mail no credentials of the requested kind."""
        if self.credentials_kind is None:
            return
        if self.credentials_kind == CredentialsKind.LINK and self.password is not None:
            raise InvalidValue("credentials", LINK_WITH_PASSWORD)
        if not self.active and self.email is None and self.password is None:
            raise InvalidValue("credentials", CREDENTIALS_NOT_MAILED)

    def allow_revision_of(self, sub_user: SubUser) -> bool:
        """Return whether the sub-user has one of the required revisions."""
        return self.if_revisions is None or sub_user.revision in self.if_revisions


class SubUsers:
    """Commands on sub-users."""

    def __init__(
        self,
        accounts: MainAccounts,
        vault: Vault,
        keyed_hasher: KeyedHasher,
        passwords: Passwords,
        clock: Clock,
        *,
        open_sessions: OpenSessions,
        catalogues: PermissionCatalogues,
        erasure_delay: timedelta = timedelta(),
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._keyed_hasher = keyed_hasher
        self._passwords = passwords
        self._clock = clock
        self._open_sessions = open_sessions
        self._catalogues = catalogues
        self._erasure_delay = erasure_delay
        self._creation_locks = KeyedLocks()

    def create(
        self,
        account_id: UUID,
        context: CommandContext,
        *,
        email: str,
        name: str,
        surname: str,
        password: str | None = None,
        visible: bool = True,
        access_expires_at: datetime | None = None,
        grants: Sequence[NewGrant] | None = None,
        also_write: Callable[[SubUserDetails, PersonKey], list[TransactionalWrite]] = lambda _details, _key: [],
    ) -> Outcome[SubUserDetails]:
        """Create an inactive sub-user. Without a password, generate one that only the sub-user will see.

        `grants` replace the default one, Operator on everything. Raises `SubUserLimitReached` or `SubUserEmailTaken`,
        if possible before the password is hashed, and `InvalidValue` for the password or a grant.
        """
        hashes_under_keys_of = self._hashes_under_keys(account_id, email)
        if password is not None:
            self._passwords.ensure_strong("password", password, [email, name, surname])
        owner_key = load_owner_key(self._vault, account_id)
        with self._creation_locks.hold(account_id):  # so that parallel creations beyond the limit hash no password
            loaded = self._accounts.load(account_id)
            loaded.ensure_can_add(hashes_under_keys_of(frozenset(loaded.sub_users)))
            temporary_password = password or self._passwords.generate()
            password_hash = self._passwords.hash(temporary_password)
            sub_user_id = uuid4()
            sub_user_key, store_key = self._vault.new_data_key(sub_user_id, account_id)

            def decide(account: MainAccount) -> tuple[SubUserDetails, list[TransactionalWrite]]:
                at, metadata = self._clock(), context.encrypted_with(owner_key)
                account.create_sub_user(
                    sub_user_id,
                    email=sub_user_key.encrypt("email", email),
                    email_hash=sub_user_key.email_hash(email),
                    hashes_under_existing_keys=hashes_under_keys_of(frozenset(account.sub_users)),
                    name=sub_user_key.encrypt("name", name),
                    surname=sub_user_key.encrypt("surname", surname),
                    visible=visible,
                    access_expires_at=access_expires_at,
                    at=at,
                    metadata=metadata,
                )
                if grants is not None:
                    catalogue = self._catalogues.current()
                    changes = GrantChanges(account, sub_user_id, sub_user_key, catalogue, at, metadata)
                    changes.replace_default(grants)
                sub_user = account.sub_user(sub_user_id)
                credentials = _store_credentials(account_id, sub_user, temporary_password, password_hash, sub_user_key)
                reset = self._reset_attempts(owner_key, account, sub_user, sub_user_key, at, is_exempt=password is None)
                details = sub_user_details(account_id, sub_user, sub_user_key)
                return details, [store_key, *credentials, reset, *also_write(details, sub_user_key)]

            return self._accounts.change(account_id, decide)

    def change(
        self,
        account_id: UUID,
        sub_user_id: UUID,
        changes: SubUserChanges,
        context: CommandContext,
    ) -> Outcome[SubUserDetails]:
        """Apply all changes of a sub-user, or none.

        Raises `RevisionMismatch`, `InvalidValue`, and the refusals of `edit_sub_user`.
        """
        changes.ensure_consistent()
        owner_key, sub_user_key = load_owner_and_sub_user_keys(self._vault, account_id, sub_user_id)
        get_password = cache(lambda: changes.password or self._passwords.generate())
        get_password_hash = cache(lambda: self._passwords.hash(get_password()))
        get_hashes = self._hashes_under_keys(account_id, changes.email or "")
        checked_texts: tuple[Ciphertext, ...] | None = None
        if changes.password is not None or changes.email is not None or changes.active:
            loaded = self._accounts.load(account_id)
            sub_user = loaded.sub_user(sub_user_id)
            if changes.password is not None:
                self._check_password(changes, sub_user, sub_user_key)
            if changes.allow_revision_of(sub_user):
                edit = _edit(changes, loaded, sub_user, sub_user_key, get_hashes)
                loaded.ensure_can_edit(sub_user_id, edit, at=self._clock())
                checked_texts = _encrypted_texts(sub_user)
                if loaded.issues_credentials(sub_user_id, edit):
                    get_password_hash()  # hash before the account is locked

        def decide(account: MainAccount) -> tuple[SubUserDetails, list[TransactionalWrite]]:
            at = self._clock()
            sub_user = account.sub_user(sub_user_id)
            if not changes.allow_revision_of(sub_user):
                raise RevisionMismatch
            if changes.password is not None and _encrypted_texts(sub_user) != checked_texts:
                self._check_password(changes, sub_user, sub_user_key)
            edit = _edit(changes, account, sub_user, sub_user_key, get_hashes)
            issues_credentials = account.issues_credentials(sub_user_id, edit)
            account.edit_sub_user(sub_user_id, edit, at=at, metadata=context.encrypted_with(owner_key))
            changed_sub_user = account.sub_user(sub_user_id)
            writes = self._move_exemption(owner_key, account, sub_user, changed_sub_user, sub_user_key, at)
            if issues_credentials:
                writes += [
                    *_store_credentials(
                        account_id, changed_sub_user, get_password(), get_password_hash(), sub_user_key
                    ),
                    self._reset_attempts(
                        owner_key, account, changed_sub_user, sub_user_key, at, is_exempt=changes.password is None
                    ),
                ]
            elif changed_sub_user.active and not sub_user.active:
                writes += [
                    SetTemporaryPasswordExpiry(
                        sub_user_id, _password_issued_at(changed_sub_user) + TEMPORARY_PASSWORD_LIFETIME
                    ),
                    self._reset_attempts(owner_key, account, changed_sub_user, sub_user_key, at, is_exempt=None),
                ]
            return sub_user_details(account_id, changed_sub_user, sub_user_key), writes

        return self._accounts.change(account_id, decide)

    def send_credentials_again(
        self,
        account_id: UUID,
        sub_user_id: UUID,
        context: CommandContext,
        credentials_kind: CredentialsKind | None = None,
        *,
        also_write: Callable[[SubUserDetails, PersonKey], list[TransactionalWrite]] = lambda _details, _key: [],
    ) -> Outcome[SubUserDetails]:
        """Issue new credentials and mail them: of the same kind as the last ones, unless another is requested.

        Raises `SubUserIsInactive`, `AccessExpired` or `TooManyMails`.
        """
        owner_key, sub_user_key = load_owner_and_sub_user_keys(self._vault, account_id, sub_user_id)
        self._accounts.load(account_id).ensure_can_be_sent_credentials(sub_user_id, self._clock())
        temporary_password = self._passwords.generate()
        password_hash = self._passwords.hash(temporary_password)

        def decide(account: MainAccount) -> tuple[SubUserDetails, list[TransactionalWrite]]:
            at = self._clock()
            metadata = context.encrypted_with(owner_key)
            account.send_credentials_again(sub_user_id, credentials_kind, at=at, metadata=metadata)
            sub_user = account.sub_user(sub_user_id)
            credentials = _store_credentials(account_id, sub_user, temporary_password, password_hash, sub_user_key)
            details = sub_user_details(account_id, sub_user, sub_user_key)
            reset = self._reset_attempts(owner_key, account, sub_user, sub_user_key, at, is_exempt=True)
            return details, [*credentials, reset, *also_write(details, sub_user_key)]

        return self._accounts.change(account_id, decide)

    def delete(
        self,
        account_id: UUID,
        sub_user_id: UUID,
        context: CommandContext,
        *,
        if_revisions: Collection[int] | None = None,
    ) -> Outcome[None]:
        """Delete a sub-user, end their sessions, and erase their personal data. Raises `RevisionMismatch`.

        If the service has an erasure delay, place a legal hold: the data is erased later.
        """
        owner_key, sub_user_key = load_owner_and_sub_user_keys(self._vault, account_id, sub_user_id)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            sub_user = account.sub_user(sub_user_id)
            if if_revisions is not None and sub_user.revision not in if_revisions:
                raise RevisionMismatch
            at, under_legal_hold = self._clock(), self._erasure_delay > timedelta()
            metadata = context.encrypted_with(owner_key)
            account.delete_sub_user(sub_user_id, under_legal_hold=under_legal_hold, at=at, metadata=metadata)
            emails = decrypted_emails(self._accounts.contacts(account_id, sub_user_id), sub_user_key)
            account_email_hashes = sign_in_email_hashes(self._keyed_hasher, owner_key, account, at)
            identities = sorted(
                identity
                for account_email_hash in account_email_hashes
                for identity in identity_keys(self._keyed_hasher, account_email_hash, emails)
            )
            writes: list[TransactionalWrite] = [ForgetFailedAttempts(identity) for identity in identities]
            if under_legal_hold:
                due_at = at + self._erasure_delay
                writes.append(PlaceLegalHold(sub_user_id, account_id, due_at, sub_user.name, sub_user.surname))
            return None, writes

        return self._accounts.change(account_id, decide)

    def end_sessions(self, account_id: UUID, sub_user_id: UUID, context: CommandContext) -> Outcome[None]:
        """End all sessions of a sub-user. They may log in again."""
        owner_key, _ = load_owner_and_sub_user_keys(self._vault, account_id, sub_user_id)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            account.log_out(sub_user_id, None, at=self._clock(), metadata=context.encrypted_with(owner_key))
            return None, []

        return self._accounts.change(account_id, decide)

    def end_session(
        self, account_id: UUID, sub_user_id: UUID, session_id: UUID, context: CommandContext
    ) -> Outcome[None]:
        """End one session of a sub-user. They may log in again. Raises `SubUserNotFound` or `SessionNotFound`."""
        owner_key, _ = load_owner_and_sub_user_keys(self._vault, account_id, sub_user_id)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            at = self._clock()
            account.sub_user(sub_user_id)
            self._open_sessions.ensure_open(sub_user_id, session_id, at)
            account.log_out(sub_user_id, session_id, at=at, metadata=context.encrypted_with(owner_key))
            return None, []

        return self._accounts.change(account_id, decide)

    def sessions(self, account_id: UUID, sub_user_id: UUID) -> list[SessionDetails]:
        """Return a sub-user's valid sessions, newest first. Raises `SubUserNotFound`."""
        _, sub_user_key = load_owner_and_sub_user_keys(self._vault, account_id, sub_user_id)
        self._accounts.load(account_id).sub_user(sub_user_id)
        return self._open_sessions.details(sub_user_id, sub_user_key, self._clock())

    def _reset_attempts(
        self,
        owner_key: PersonKey,
        account: MainAccount,
        sub_user: SubUser,
        sub_user_key: PersonKey,
        at: datetime,
        *,
        is_exempt: bool | None,
    ) -> ResetFailedAttempts:
        """Return the write that lets a person log in with new credentials after failed attempts on earlier ones."""
        return ResetFailedAttempts(self._identity_key(owner_key, account, sub_user, sub_user_key), at, is_exempt)

    def _move_exemption(
        self,
        owner_key: PersonKey,
        account: MainAccount,
        sub_user: SubUser,
        changed_sub_user: SubUser,
        sub_user_key: PersonKey,
        at: datetime,
    ) -> list[TransactionalWrite]:
        """Return the write that lets the counters of failed attempts follow a changed e-mail, if it changed."""
        if changed_sub_user.email == sub_user.email:
            return []
        former_identity, identity = (
            self._identity_key(owner_key, account, version, sub_user_key) for version in (sub_user, changed_sub_user)
        )
        return [MoveAttemptExemption(former_identity, identity, at)]

    def _identity_key(
        self, owner_key: PersonKey, account: MainAccount, sub_user: SubUser, sub_user_key: PersonKey
    ) -> bytes:
        email_hash = self._keyed_hasher.email(sub_user_key.decrypt("email", sub_user.email))
        account_email_hash = owner_email_hash(self._keyed_hasher, owner_key, account)
        return identity_key(self._keyed_hasher, account_email_hash, email_hash)

    def _hashes_under_keys(self, account_id: UUID, email: str) -> HashesUnderKeys:
        """Return a function that returns the hashes of an e-mail under the keys of an account's sub-users."""

        @cache
        def hashes(sub_user_ids: frozenset[UUID]) -> frozenset[str]:
            entries = self._vault.entries(list(sub_user_ids))
            return email_hashes(self._keyed_hasher, account_id, entries.values(), email)

        return hashes

    def _check_password(self, changes: SubUserChanges, sub_user: SubUser, sub_user_key: PersonKey) -> None:
        forbidden_texts = [
            changes.email or sub_user_key.decrypt("email", sub_user.email),
            changes.name or sub_user_key.decrypt("name", sub_user.name),
            changes.surname or sub_user_key.decrypt("surname", sub_user.surname),
        ]
        self._passwords.ensure_strong("password", changes.password or "", forbidden_texts)


def _encrypted_texts(sub_user: SubUser) -> tuple[Ciphertext, ...]:
    return sub_user.email, sub_user.name, sub_user.surname


def _edit(
    changes: SubUserChanges,
    account: MainAccount,
    sub_user: SubUser,
    sub_user_key: PersonKey,
    get_hashes: HashesUnderKeys,
) -> SubUserEdit:
    """Return the encrypted changes, without texts that stay the same. Spellings of one e-mail are the same."""
    return SubUserEdit(
        email=_new_email(changes.email, account, sub_user, sub_user_key, get_hashes),
        name=_encrypt_if_changed("name", changes.name, sub_user.name, sub_user_key),
        surname=_encrypt_if_changed("surname", changes.surname, sub_user.surname, sub_user_key),
        visible=changes.visible,
        active=changes.active,
        changes_expiry=changes.changes_expiry,
        access_expires_at=changes.access_expires_at,
        new_password=changes.password is not None,
        credentials_kind=changes.credentials_kind,
    )


def _new_email(
    email: str | None,
    account: MainAccount,
    sub_user: SubUser,
    sub_user_key: PersonKey,
    get_hashes: HashesUnderKeys,
) -> NewEmail | None:
    if email is None:
        return None
    email_hash = sub_user_key.email_hash(email)
    if email_hash == sub_user_key.email_hash(sub_user_key.decrypt("email", sub_user.email)):
        return None
    hashes_under_existing_keys = get_hashes(frozenset(account.sub_users))
    return NewEmail(sub_user_key.encrypt("email", email), email_hash, hashes_under_existing_keys)


def _encrypt_if_changed(field: str, new: str | None, current: Ciphertext, sub_user_key: PersonKey) -> Ciphertext | None:
    return sub_user_key.encrypt(field, new) if new is not None and new != sub_user_key.decrypt(field, current) else None


def _store_credentials(
    account_id: UUID, sub_user: SubUser, password: str, password_hash: str, sub_user_key: PersonKey
) -> list[TransactionalWrite]:
    """Return the writes of a temporary password, and of an invitation link if the sub-user is mailed one.

    The password of an invited sub-user is mailed to nobody. It expires together with the link.
    """
    is_invited = sub_user.credentials_kind == CredentialsKind.LINK
    to_be_mailed = not is_invited and (sub_user.active or not sub_user.was_activated)
    expires_at = _password_issued_at(sub_user) + TEMPORARY_PASSWORD_LIFETIME
    store_password = StorePassword(
        person_id=sub_user.sub_user_id,
        password_hash=password_hash,
        must_change=True,
        expires_at=expires_at,
        credentials_version=sub_user.credentials_version,
        encrypted_password=sub_user_key.encrypt("password", password) if to_be_mailed else None,
    )
    if not is_invited:
        return [store_password]
    link = NewLink(LinkPurpose.INVITATION, account_id, sub_user.sub_user_id, sub_user_key, expires_at)
    return [store_password, link.as_write(sub_user.mail_version)]


def _password_issued_at(sub_user: SubUser) -> datetime:
    """Return the time of the event that issued the temporary password, so that history and vault agree."""
    if sub_user.password_issued_at is None:
        raise LookupError(sub_user.sub_user_id)
    return sub_user.password_issued_at
