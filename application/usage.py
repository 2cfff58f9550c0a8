"""What sub-users use of their account's plan: reported by the portal as facts, each a stream of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.keys import owner_key
from application.main_accounts import Outcome
from application.reports import keys_of_reported
from domain.cause import ActorType, Cause
from domain.events import UsageRecorded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from application.main_accounts import MainAccounts
    from application.origin import Origin
    from application.ports import Clock, PersonKey, UsageCounts, Vault
    from application.records import Record
    from domain.main_account import MainAccount
    from domain.plan import Plan


@dataclass(frozen=True)
class UsageReport:
    """What one sub-user used: milliseconds of conversation, and tokens of language models."""

    sub_user_id: UUID
    conversation_ms: int = 0
    llm_tokens: int = 0
    occurred_at: datetime | None = None


class UsageReports:
    """Records what the portal reports, sets plans, and tells when much of one is used."""

    def __init__(self, accounts: MainAccounts, vault: Vault, counts: UsageCounts, clock: Clock) -> None:
        self._accounts = accounts
        self._vault = vault
        self._counts = counts
        self._clock = clock

    def record(
        self,
        account_id: UUID,
        reports: Sequence[UsageReport],
        origin: Origin,
        *,
        keep: Callable[[list[UUID], PersonKey], list[Record]] = lambda _ids, _key: [],
    ) -> Outcome[list[UUID]]:
        """Record them all, or none. Raises `InvalidValue` naming the first whose sub-user is not the account's."""
        owner = owner_key(self._vault, account_id)
        sub_user_ids = [report.sub_user_id for report in reports]
        keys = keys_of_reported(self._accounts, self._vault, account_id, sub_user_ids, "usage")
        now = self._clock()
        facts = [_fact(account_id, report, keys[report.sub_user_id], now, origin) for report in reports]
        ids = [fact.originator_id for fact in facts]
        recordings = self._accounts.save(*facts, records=keep(ids, owner))
        return Outcome(ids, recordings[-1].notification.id if recordings else None)

    def set_plan(self, account_id: UUID, plan: Plan, origin: Origin) -> Outcome[Plan]:
        """Say what an account's plan includes. Raises `AccountIsClosed`."""
        key = owner_key(self._vault, account_id)

        def decide(account: MainAccount) -> tuple[Plan, list[Record]]:
            account.set_plan(plan, at=self._clock(), cause=origin.sealed_with(key))
            return plan, []

        return self._accounts.change(account_id, decide)

    def check_next(self) -> bool:
        """Tell what thresholds one account has reached whose use or plan has changed; return False if there is none.

        An account stays due until that has been recorded, so that nothing is missed by whoever is killed meanwhile;
        and the account itself knows what it has told, so that nothing is told twice.
        """
        with self._counts.due(self._clock().date()) as account_id:
            if account_id is not None:
                self._check(account_id)
        return account_id is not None

    def _check(self, account_id: UUID) -> None:
        cause = Cause(ActorType.SYSTEM, "usage")  # nothing to seal: it takes no key, which an erased account has not

        def decide(account: MainAccount) -> tuple[None, list[Record]]:
            now = self._clock()
            if account.plan is not None:
                period = account.plan.period_of(now.date())
                used = self._counts.used(account_id, period)
                account.note_usage(period, used, at=now, cause=cause)
            return None, []

        self._accounts.change(account_id, decide)


def _fact(account_id: UUID, report: UsageReport, key: PersonKey, now: datetime, origin: Origin) -> UsageRecorded:
    cause = origin.sealed_with(key)
    return UsageRecorded(
        originator_id=uuid4(),
        originator_version=1,
        timestamp=now,
        account_id=account_id,
        sub_user_id=report.sub_user_id,
        conversation_ms=report.conversation_ms,
        llm_tokens=report.llm_tokens,
        occurred_at=report.occurred_at or now,
        request_id=cause.request_id,
        ip=cause.ip,
        user_agent=cause.user_agent,
    )
