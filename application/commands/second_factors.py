"""Reset of the second factors of people who have lost them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.data_keys import load_owner_key
from application.throttle_keys import second_factor_identity_key
from application.transactional_writes import ResetFailedAttempts, TransactionalWrite

if TYPE_CHECKING:
    from uuid import UUID

    from application.command_context import CommandContext
    from application.ports.clock import Clock
    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.vault import Vault
    from application.repository import MainAccounts, Outcome
    from domain.main_account import MainAccount


class SecondFactorResets:
    """Commands of owners on their sub-users' second factors, and of support on the owners'."""

    def __init__(self, accounts: MainAccounts, vault: Vault, keyed_hasher: KeyedHasher, clock: Clock) -> None:
        self._accounts = accounts
        self._vault = vault
        self._keyed_hasher = keyed_hasher
        self._clock = clock

    def reset(self, account_id: UUID, sub_user_id: UUID | None, context: CommandContext) -> Outcome[None]:
        """Remove all second factors of a sub-user, or of the owner (None), and end their sessions.

        Raises `AccountNotFound`, `SubUserNotFound` or `AccountIsClosed`.
        """
        metadata = context.encrypted_with(load_owner_key(self._vault, account_id))

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            at = self._clock()
            account.reset_second_factors(sub_user_id, at=at, metadata=metadata)
            identity = second_factor_identity_key(self._keyed_hasher, sub_user_id or account_id)
            return None, [ResetFailedAttempts(identity, at)] if account.pending_events else []

        return self._accounts.change(account_id, decide)
