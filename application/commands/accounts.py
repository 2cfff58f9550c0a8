"""Commands on main accounts, for the portal and for support."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.commands.resources import AccountDetails, account_details
from application.data_keys import load_owner_entry, load_owner_key
from application.email_hashes import owner_email_hash
from application.repository import Outcome
from application.sign_in.account_email_changes import email_change_writes
from application.sign_in.mailed_links import NewLink
from application.throttle_keys import owner_identity_key
from application.transactional_writes import (
    AddAccountToDirectory,
    ReleaseFormerEmail,
    ResetFailedAttempts,
    SetAccountExternalId,
    StorePassword,
    TransactionalWrite,
)
from domain.mails import LinkPurpose
from domain.main_account import MainAccount
from domain.owner_email import CONFIRMATION_LIFETIME
from domain.refusals import AccountEmailTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.command_context import CommandContext
    from application.ports.account_directory import AccountDirectory
    from application.ports.clock import Clock
    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.passwords import Passwords
    from application.ports.vault import PersonKey, Vault
    from application.repository import MainAccounts
    from domain.second_factor import SecondFactorPolicy


@dataclass(frozen=True)
class AccountChanges:
    """Changes of an account's own details. None leaves a value unchanged.

    `external_id` is applied only if `changes_external_id`, because None removes it. An e-mail has to be confirmed,
    unless it is `email_verified`: the portal has verified that the owner receives mail there.
    """

    email: str | None = field(default=None, repr=False)
    company_name: str | None = field(default=None, repr=False)
    language: str | None = None
    password: str | None = field(default=None, repr=False)
    changes_external_id: bool = False
    external_id: str | None = field(default=None, repr=False)
    sub_user_password_reset: bool | None = None
    second_factor_policy: SecondFactorPolicy | None = None
    email_verified: bool = False


class Accounts:
    """Commands on main accounts."""

    def __init__(
        self,
        accounts: MainAccounts,
        vault: Vault,
        keyed_hasher: KeyedHasher,
        passwords: Passwords,
        clock: Clock,
        directory: AccountDirectory,
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._keyed_hasher = keyed_hasher
        self._passwords = passwords
        self._clock = clock
        self._directory = directory

    def register(
        self,
        context: CommandContext,
        *,
        email: str,
        company_name: str,
        language: str = "en",
        password: str | None = None,
        external_id: str | None = None,
        also_write: Callable[[AccountDetails, PersonKey], list[TransactionalWrite]] = lambda _details, _key: [],
    ) -> Outcome[AccountDetails]:
        """Register a main account. `external_id` is the portal's own id of it.

        Raises `AccountEmailTaken`, `AccountExternalIdTaken`, or `InvalidValue` for the password.
        """
        account_id = uuid4()
        owner_key, store_key = self._vault.new_data_key(account_id, account_id)
        account = MainAccount.register(
            account_id,
            email=owner_key.encrypt("email", email),
            email_hash=owner_key.email_hash(email),
            company_name=owner_key.encrypt("company_name", company_name),
            language=language,
            external_id=owner_key.encrypt("external_id", external_id) if external_id is not None else None,
            at=self._clock(),
            metadata=context.for_account(account_id).encrypted_with(owner_key),
        )
        details = account_details(account, owner_key)
        email_hash = self._keyed_hasher.email(email)
        writes: list[TransactionalWrite] = [
            store_key,
            ReleaseFormerEmail(email_hash, self._clock()),
            AddAccountToDirectory(email_hash, account_id, self._external_id_hash(external_id)),
        ]
        if password is not None:
            password_hash = self._check_and_hash(password, [email, company_name])
            identity = owner_identity_key(self._keyed_hasher, email_hash)
            writes += [
                StorePassword.chosen(account_id, password_hash, credentials_version=1),
                ResetFailedAttempts(identity, self._clock()),
            ]
        position = self._accounts.add(account, [*writes, *also_write(details, owner_key)])
        return Outcome(details, position)

    def change(self, account_id: UUID, changes: AccountChanges, context: CommandContext) -> Outcome[AccountDetails]:
        """Change an account's details. A new password ends the owner's sessions. A new e-mail has to be confirmed.

        Raises `AccountEmailTaken`, `TooManyEmailChanges`, `TooManyMails` or `AccountExternalIdTaken`.
        """
        owner_key = load_owner_key(self._vault, account_id)
        forbidden_texts = _forbidden_texts(self._accounts.load(account_id), changes, owner_key)
        password_hash = None if changes.password is None else self._check_and_hash(changes.password, forbidden_texts)

        def decide(account: MainAccount) -> tuple[AccountDetails, list[TransactionalWrite]]:
            current_forbidden_texts = _forbidden_texts(account, changes, owner_key)
            if changes.password is not None and current_forbidden_texts != forbidden_texts:
                self._passwords.ensure_strong("password", changes.password, current_forbidden_texts)
            current = account_details(account, owner_key)
            new_company_name = changes.company_name if changes.company_name != current.company_name else None
            writes = self._email_writes(account, changes, current.email, context)
            account.change_details(
                company_name=owner_key.encrypt("company_name", new_company_name) if new_company_name else None,
                language=changes.language,
                password_changed=password_hash is not None,
                at=self._clock(),
                metadata=context.encrypted_with(owner_key),
            )
            if changes.sub_user_password_reset is not None:
                account.set_password_reset_policy(
                    allowed=changes.sub_user_password_reset,
                    at=self._clock(),
                    metadata=context.encrypted_with(owner_key),
                )
            if changes.changes_external_id and changes.external_id != current.external_id:
                external_id = changes.external_id
                account.set_external_id(
                    owner_key.encrypt("external_id", external_id) if external_id is not None else None,
                    at=self._clock(),
                    metadata=context.encrypted_with(owner_key),
                )
                writes.append(SetAccountExternalId(account_id, self._external_id_hash(external_id)))
            if changes.second_factor_policy is not None:
                account.set_second_factor_policy(
                    changes.second_factor_policy, at=self._clock(), metadata=context.encrypted_with(owner_key)
                )
            if password_hash is not None:
                credentials_version = load_owner_entry(self._vault, account_id).credentials_version + 1
                identity = owner_identity_key(
                    self._keyed_hasher, owner_email_hash(self._keyed_hasher, owner_key, account)
                )
                writes += [
                    StorePassword.chosen(account_id, password_hash, credentials_version),
                    ResetFailedAttempts(identity, self._clock()),
                ]
            return account_details(account, owner_key), writes

        return self._accounts.change(account_id, decide)

    def _email_writes(
        self, account: MainAccount, changes: AccountChanges, current_email: str, context: CommandContext
    ) -> list[TransactionalWrite]:
        """Change or request another e-mail, if it differs, and return the writes of that."""
        new_email = changes.email
        if new_email is None or new_email == current_email:
            return []
        entry, at = load_owner_entry(self._vault, account.id), self._clock()
        metadata = context.encrypted_with(entry.key)
        email, email_hash = entry.key.encrypt("email", new_email), entry.key.email_hash(new_email)
        if email_hash == account.owner_email.email_hash:  # only its capitalization differs
            account.change_details(email=email, email_hash=email_hash, at=at, metadata=metadata)
            return []
        if changes.email_verified:
            account.change_email(email, email_hash, at=at, metadata=metadata)
            return email_change_writes(self._keyed_hasher, account, entry, at)
        if self._directory.find_account_id(self._keyed_hasher.email(new_email), at) not in {None, account.id}:
            raise AccountEmailTaken
        account.request_email(email, email_hash, at=at, metadata=metadata)
        link = NewLink.lasting(CONFIRMATION_LIFETIME, LinkPurpose.EMAIL_CONFIRMATION, entry, at)
        return [link.as_write(account.version)]

    def close(self, account_id: UUID, context: CommandContext) -> Outcome[None]:
        """Close an account. All sessions in it end, and logins are refused from then on."""
        owner_key = load_owner_key(self._vault, account_id)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            account.close(at=self._clock(), metadata=context.encrypted_with(owner_key))
            return None, []

        return self._accounts.change(account_id, decide)

    def raise_sub_user_limit(self, account_id: UUID, limit: int, context: CommandContext) -> Outcome[AccountDetails]:
        """Raise an account's sub-user limit. The reason is in the context. Raises `LimitNotRaised`."""
        owner_key = load_owner_key(self._vault, account_id)

        def decide(account: MainAccount) -> tuple[AccountDetails, list[TransactionalWrite]]:
            account.raise_sub_user_limit(limit, at=self._clock(), metadata=context.encrypted_with(owner_key))
            return account_details(account, owner_key), []

        return self._accounts.change(account_id, decide)

    def _external_id_hash(self, external_id: str | None) -> str | None:
        return self._keyed_hasher.external_id(external_id) if external_id is not None else None

    def _check_and_hash(self, password: str, forbidden_texts: list[str]) -> str:
        self._passwords.ensure_strong("password", password, forbidden_texts)
        return self._passwords.hash(password)


def _forbidden_texts(account: MainAccount, changes: AccountChanges, owner_key: PersonKey) -> list[str]:
    """Return the texts that a new password must not contain."""
    return [
        changes.email or owner_key.decrypt("email", account.owner_email.current),
        changes.company_name or owner_key.decrypt("company_name", account.company_name),
    ]
