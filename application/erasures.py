"""Erasing people apart from their deletion: when a hold is over, with their whole account, again after a restore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.cause import ActorType, Cause
from domain.refusals import AccountNotFound

if TYPE_CHECKING:
    from uuid import UUID

    from application.main_accounts import MainAccounts
    from application.ports import Clock, LegalHolds, Vault
    from application.records import Record
    from domain.main_account import MainAccount

HOLDS = Cause(ActorType.SYSTEM, "legal holds")
OPERATOR = Cause(ActorType.SYSTEM, "operator")
"""Who acts where no request comes in. There is nothing personal to say of either."""


@dataclass(frozen=True)
class Erasure:
    """What an erasure was of: a sub-user, or without one the owner of an account and with them everybody in it."""

    account_id: UUID
    sub_user_id: UUID | None


class Erasures:
    """Erases people. Whoever is erased already stays so: nothing is recorded twice, by however many workers."""

    def __init__(self, accounts: MainAccounts, vault: Vault, holds: LegalHolds, clock: Clock) -> None:
        self._accounts = accounts
        self._vault = vault
        self._holds = holds
        self._clock = clock

    def erase_next(self) -> bool:
        """Erase somebody whose hold is over; return False if there is nobody."""
        hold = self._holds.claim(self._clock())
        if hold is None:
            return False
        self._erase_sub_user(hold.account_id, hold.person_id, HOLDS)
        return True

    def erase_account(self, account_id: UUID) -> int:
        """Close an account, erase everybody in it, also who is held, and return how many those were.

        Raises `AccountNotFound`.
        """

        def decide(account: MainAccount) -> tuple[int, list[Record]]:
            people = self._vault.people_of(account_id)
            if account_id in people:
                sub_users = sorted(people - {account_id})
                account.erase_everybody(sub_users, at=self._clock(), cause=OPERATOR)
            return len(people), []

        return self._accounts.change(account_id, decide).value

    def reapply(self, erasure: Erasure) -> bool:
        """Erase again whom a restored database has back; return False if it has nothing of them."""
        try:
            if erasure.sub_user_id is None:
                return self.erase_account(erasure.account_id) > 0
            return self._erase_sub_user(erasure.account_id, erasure.sub_user_id, OPERATOR)
        except AccountNotFound:
            return False

    def _erase_sub_user(self, account_id: UUID, sub_user_id: UUID, cause: Cause) -> bool:
        def decide(account: MainAccount) -> tuple[bool, list[Record]]:
            held = sub_user_id in self._vault.people_of(account_id) and sub_user_id != account_id
            if held:
                account.erase_sub_user(sub_user_id, at=self._clock(), cause=cause)
            return held, []

        return self._accounts.change(account_id, decide).value
