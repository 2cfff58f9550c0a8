"""What the portal and support ask of a main account itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.attempts import owner_attempt_keys
from application.keys import owner_entry, owner_key
from application.main_accounts import Outcome
from application.records import AttemptsForgiven, PasswordSet, Record
from application.resources import AccountDetails, account_details
from domain.main_account import MainAccount

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.main_accounts import MainAccounts
    from application.origin import Origin
    from application.ports import Clock, Fingerprints, Passwords, PersonKey, Vault


@dataclass(frozen=True)
class AccountChanges:
    """What is to change of an account; None leaves a thing as it is."""

    email: str | None = field(default=None, repr=False)
    company_name: str | None = field(default=None, repr=False)
    language: str | None = None
    password: str | None = field(default=None, repr=False)


class Accounts:
    """The commands on a main account."""

    def __init__(
        self, accounts: MainAccounts, vault: Vault, fingerprints: Fingerprints, passwords: Passwords, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._fingerprints = fingerprints
        self._passwords = passwords
        self._clock = clock

    def register(
        self,
        origin: Origin,
        *,
        email: str,
        company_name: str,
        language: str = "en",
        password: str | None = None,
        keep: Callable[[AccountDetails, PersonKey], list[Record]] = lambda _details, _key: [],
    ) -> Outcome[AccountDetails]:
        """Set up a main account. Raises `AccountEmailTaken`."""
        account_id = uuid4()
        key, person = self._vault.new_person(account_id, account_id)
        account = MainAccount.register(
            account_id,
            email=key.seal("email", email),
            email_hash=self._fingerprints.email(email),
            company_name=key.seal("company_name", company_name),
            language=language,
            at=self._clock(),
            cause=origin.for_account(account_id).sealed_with(key),
        )
        details = account_details(account, key)
        records: list[Record] = [person]
        if password is not None:
            password_hash = self._hash_of_good(password, [email, company_name])
            records += [PasswordSet.chosen(account_id, password_hash, 1), self._attempts_forgiven(account)]
        position = self._accounts.add(account, [*records, *keep(details, key)])
        return Outcome(details, position)

    def change(self, account_id: UUID, changes: AccountChanges, origin: Origin) -> Outcome[AccountDetails]:
        """Change an account's own data; a new password ends the owner's sessions. Raises `AccountEmailTaken`."""
        key = owner_key(self._vault, account_id)
        account = self._accounts.load(account_id)
        about = [changes.email or key.open("email", account.email), key.open("company_name", account.company_name)]
        password_hash = None if changes.password is None else self._hash_of_good(changes.password, about)

        def decide(account: MainAccount) -> tuple[AccountDetails, list[Record]]:
            before = account_details(account, key)
            new_email = changes.email if changes.email not in {None, before.email} else None
            new_name = changes.company_name if changes.company_name not in {None, before.company_name} else None
            email_hash = self._fingerprints.email(new_email) if new_email else None
            account.change_details(
                email=key.seal("email", new_email) if new_email else None,
                email_hash=email_hash,
                company_name=key.seal("company_name", new_name) if new_name else None,
                language=changes.language,
                password_changed=password_hash is not None,
                at=self._clock(),
                cause=origin.sealed_with(key),
            )
            records: list[Record] = []
            if password_hash is not None:
                credentials = owner_entry(self._vault, account_id).credentials + 1
                records = [PasswordSet.chosen(account_id, password_hash, credentials), self._attempts_forgiven(account)]
            return account_details(account, key), records

        return self._accounts.change(account_id, decide)

    def close(self, account_id: UUID, origin: Origin) -> Outcome[None]:
        """Close an account: every session in it ends at once, and nobody logs in any more."""
        key = owner_key(self._vault, account_id)

        def decide(account: MainAccount) -> tuple[None, list[Record]]:
            account.close(at=self._clock(), cause=origin.sealed_with(key))
            return None, []

        return self._accounts.change(account_id, decide)

    def raise_sub_user_limit(self, account_id: UUID, limit: int, origin: Origin) -> Outcome[AccountDetails]:
        """Allow an account more sub-users; the origin says why."""
        key = owner_key(self._vault, account_id)

        def decide(account: MainAccount) -> tuple[AccountDetails, list[Record]]:
            account.raise_sub_user_limit(limit, at=self._clock(), cause=origin.sealed_with(key))
            return account_details(account, key), []

        return self._accounts.change(account_id, decide)

    def _hash_of_good(self, password: str, about: list[str]) -> str:
        self._passwords.require_good("password", password, about)
        return self._passwords.hash(password)

    def _attempts_forgiven(self, account: MainAccount) -> AttemptsForgiven:
        """Have failed logins as the owner count no more, so that a new password is not kept out by earlier guesses."""
        return AttemptsForgiven(owner_attempt_keys(self._fingerprints, account.email_hash, None).in_a_row)
