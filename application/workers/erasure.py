"""Erasure of personal data: after legal holds, of whole accounts, and again after a restore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.email_hashes import owner_email_hash
from application.failed_attempts import forget_attempts, identities_of_sub_user
from application.throttle_keys import owner_identity_key, unknown_sub_users_key
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
                writes = [*forget_attempts({*self._owner_identities(account), *self._identities(account, sub_user_ids)})]
                account.erase_all_people(sub_user_ids, at=self._clock(), metadata=OPERATOR_METADATA)
            return len(person_ids), writes

        return self._accounts.change(account_id, decide).value

    def _owner_identities(self, account: MainAccount) -> set[bytes]:
        """Return the identity keys of logins as the owner, and as unknown sub-users."""
        owner_entry = self._vault.entries([account.id]).get(account.id)
        if owner_entry is None:
            return set()
        email_hash = owner_email_hash(self._keyed_hasher, owner_entry.key, account)
        return {
            owner_identity_key(self._keyed_hasher, email_hash),
            unknown_sub_users_key(self._keyed_hasher, email_hash).key,
        }

    def _identities(self, account: MainAccount, sub_user_ids: Sequence[UUID]) -> set[bytes]:
        """Return the identity keys of logins as these sub-users. Without the owner's key they cannot be computed."""
        entries = self._vault.entries([account.id, *sub_user_ids])
        owner_entry = entries.get(account.id)
        if owner_entry is None:
            return set()
        identities: set[bytes] = set()
        for sub_user_id in sub_user_ids:
            if (entry := entries.get(sub_user_id)) is not None:
                identities |= identities_of_sub_user(
                    self._accounts, self._keyed_hasher, account, owner_entry.key, sub_user_id, entry.key
                )
        return identities

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
            writes = forget_attempts(self._identities(account, [sub_user_id]))
            account.erase_sub_user(sub_user_id, at=self._clock(), metadata=metadata)
            return True, writes

        return self._accounts.change(account_id, decide).value
