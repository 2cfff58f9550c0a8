"""Usage of plans: reports by the portal, plans, and usage thresholds. Each report is an event in its own stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.commands.reports import report_metadata, reported_sub_user_keys
from application.commands.resources import RecordedReports
from application.data_keys import load_owner_key
from application.repository import Outcome
from domain.event_metadata import ActorType, EventMetadata
from domain.events import UsageRecorded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from application.command_context import CommandContext
    from application.ports.clock import Clock
    from application.ports.usage_counts import DueAccount, UsageCounts
    from application.ports.vault import PersonKey, Vault
    from application.repository import MainAccounts
    from application.transactional_writes import TransactionalWrite
    from domain.main_account import MainAccount
    from domain.plan import Plan


@dataclass(frozen=True)
class UsageReport:
    """Usage by one sub-user, in milliseconds of conversation and tokens of language models."""

    sub_user_id: UUID
    conversation_ms: int = 0
    llm_tokens: int = 0
    occurred_at: datetime | None = None


class UsageReports:
    """Records reported usage, sets plans, and checks usage thresholds."""

    def __init__(self, accounts: MainAccounts, vault: Vault, counts: UsageCounts, clock: Clock) -> None:
        self._accounts = accounts
        self._vault = vault
        self._counts = counts
        self._clock = clock

    def record(
        self,
        account_id: UUID,
        reports: Sequence[UsageReport],
        context: CommandContext,
        *,
        also_write: Callable[[RecordedReports, PersonKey], list[TransactionalWrite]] = lambda _reports, _key: [],
    ) -> Outcome[RecordedReports]:
        """Record all reports or none. Raises `InvalidValue` for the first with a sub-user of another account.

        `also_write` returns writes for the same transaction, which it may encrypt with the owner's key.
        """
        owner_key = load_owner_key(self._vault, account_id)
        sub_user_ids = [report.sub_user_id for report in reports]
        keys = reported_sub_user_keys(self._accounts, self._vault, account_id, sub_user_ids, "usage")
        now = self._clock()
        recorded_events = [_event(account_id, report, keys[report.sub_user_id], now, context) for report in reports]
        result = RecordedReports([event.originator_id for event in recorded_events])
        recordings = self._accounts.save(*recorded_events, writes=also_write(result, owner_key))
        return Outcome(result, recordings[-1].notification.id if recordings else None)

    def set_plan(self, account_id: UUID, plan: Plan, context: CommandContext) -> Outcome[Plan]:
        """Set an account's plan. Raises `AccountIsClosed`."""
        key = load_owner_key(self._vault, account_id)

        def decide(account: MainAccount) -> tuple[Plan, list[TransactionalWrite]]:
            account.set_plan(plan, at=self._clock(), metadata=context.encrypted_with(key))
            return plan, []

        return self._accounts.change(account_id, decide)

    def check_next(self) -> bool:
        """Record the thresholds that one account has reached. Return False if no account is due today.

        The account stays due until its thresholds are recorded, so a worker that dies misses none. The account
        remembers the recorded thresholds, so none is recorded twice. Usage of past periods reaches no thresholds,
        except that the first day of a period also checks the previous one: its last usage may be reported late.
        """
        with self._counts.lock_due_account(self._clock().date()) as due:
            if due is not None:
                self._check(due)
        return due is not None

    def _check(self, due: DueAccount) -> None:
        # Nothing here is encrypted, so this also works for an erased account, which has no key.
        metadata = EventMetadata(ActorType.SYSTEM, "usage")

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            now = self._clock()
            for period in account.plan.checked_periods(due.days, now.date()) if account.plan is not None else ():
                used = self._counts.total_usage(due.account_id, period)
                account.record_reached_thresholds(period, used, at=now, metadata=metadata)
            return None, []

        self._accounts.change(due.account_id, decide)


def _event(
    account_id: UUID, report: UsageReport, key: PersonKey, now: datetime, context: CommandContext
) -> UsageRecorded:
    return UsageRecorded(
        originator_id=uuid4(),
        originator_version=1,
        timestamp=now,
        account_id=account_id,
        sub_user_id=report.sub_user_id,
        conversation_ms=report.conversation_ms,
        llm_tokens=report.llm_tokens,
        occurred_at=report.occurred_at or now,
        **report_metadata(context, key),
    )
