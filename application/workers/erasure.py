"""Erasure of personal data: after legal holds, of whole accounts, and again after a restore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.contact_history import decrypted_emails
from application.email_hashes import sign_in_email_hashes
from application.throttle_keys import identity_keys, owner_identity_key, unknown_sub_users_key
from application.transactional_writes import ForgetFailedAttempts
from domain.event_metadata import ActorType, EventMetadata
from domain.refusals import AccountNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from application.ports.clock import Clock
    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.legal_holds import LegalHolds
    from application.ports.vault import Vault
    from application.repository import MainAccounts
    from application.transactional_writes import TransactionalWrite
    from domain.main_account import MainAccount

LEGAL_HOLD_METADATA = EventMetadata(ActorType.SYSTEM, "legal holds")
OPERATOR_METADATA = EventMetadata(ActorType.SYSTEM, "operator")
"""Metadata of the events of erasures that no request causes."""


@dataclass(frozen=True)
class Erasure:
    """An erasure of a sub-user, or of all people in an account (`sub_user_id` is None)."""

    account_id: UUID
    sub_user_id: UUID | None


class Erasures:
    """Erases people. Erasing a person again records nothing, so several workers can run."""

    def __init__(
        self, accounts: MainAccounts, vault: Vault, holds: LegalHolds, keyed_hasher: KeyedHasher, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._keyed_hasher = keyed_hasher
        self._vault = vault
        self._holds = holds
        self._clock = clock

    def erase_next(self) -> bool:
        """Erase a sub-user whose legal hold has ended. Return False if there is none."""
        hold = self._holds.claim(self._clock())
        if hold is None:
            return False
        self._erase_sub_user(hold.account_id, hold.person_id, LEGAL_HOLD_METADATA)
        return True

    def erase_account(self, account_id: UUID) -> int:
        """Close an account and erase all people in it, also those on hold. Return their number.

        Raises `AccountNotFound`.
        """

        def decide(account: MainAccount) -> tuple[int, list[TransactionalWrite]]:
            person_ids = self._vault.person_ids_of(account_id)
            writes: list[TransactionalWrite] = []
            if account_id in person_ids:
                sub_user_ids = sorted(person_ids - {account_id})
                writes = self._forget_attempts(account, sub_user_ids, with_owner=True)
                account.erase_all_people(sub_user_ids, at=self._clock(), metadata=OPERATOR_METADATA)
            return len(person_ids), writes

        return self._accounts.change(account_id, decide).value

    def _forget_attempts(
        self, account: MainAccount, sub_user_ids: Sequence[UUID], *, with_owner: bool
    ) -> list[TransactionalWrite]:
        """Return the writes that delete the counters of failed logins, whose keys are hashes of e-mails.

        They cover every e-mail that these sub-users have had, and the owner's e-mails that work for sign-in. Without
        the owner's data key, they cannot be computed.
        """
        entries = self._vault.entries([account.id, *sub_user_ids])
        owner_entry = entries.get(account.id)
        if owner_entry is None:
            return []
        account_email_hashes = sign_in_email_hashes(self._keyed_hasher, owner_entry.key, account, self._clock())
        emails: set[str] = set()
        for sub_user_id in sub_user_ids:
            if (entry := entries.get(sub_user_id)) is not None:
                emails |= decrypted_emails(self._accounts.contacts(account.id, sub_user_id), entry.key)
        keys: list[bytes] = []
        for account_email_hash in account_email_hashes:
            keys += identity_keys(self._keyed_hasher, account_email_hash, emails)
            if with_owner:
                keys.append(owner_identity_key(self._keyed_hasher, account_email_hash))
                keys.append(unknown_sub_users_key(self._keyed_hasher, account_email_hash).key)
        return [ForgetFailedAttempts(key) for key in sorted(keys)]

    def reapply(self, erasure: Erasure) -> bool:
        """Repeat an erasure after a restore of the database. Return False if there was no data to erase."""
        try:
            if erasure.sub_user_id is None:
                return self.erase_account(erasure.account_id) > 0
            return self._erase_sub_user(erasure.account_id, erasure.sub_user_id, OPERATOR_METADATA)
        except AccountNotFound:
            return False

    def _erase_sub_user(self, account_id: UUID, sub_user_id: UUID, metadata: EventMetadata) -> bool:
        def decide(account: MainAccount) -> tuple[bool, Sequence[TransactionalWrite]]:
            if sub_user_id not in self._vault.person_ids_of(account_id) or sub_user_id == account_id:
                return False, []
            writes = self._forget_attempts(account, [sub_user_id], with_owner=False)
            account.erase_sub_user(sub_user_id, at=self._clock(), metadata=metadata)
            return True, writes

        return self._accounts.change(account_id, decide).value
