"""Reports by the portal about actions of sub-users. Each is an event in its own stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.commands.reports import report_metadata, reported_sub_user_keys
from application.commands.resources import RecordedReports
from application.data_keys import load_owner_key
from application.repository import Outcome
from domain.events import SubUserActivityRecorded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from application.command_context import CommandContext
    from application.ports.clock import Clock
    from application.ports.vault import PersonKey, Vault
    from application.repository import MainAccounts
    from application.transactional_writes import TransactionalWrite


@dataclass(frozen=True)
class Activity:
    """One action of a sub-user, as the portal names it. `details` is JSON text."""

    sub_user_id: UUID
    action: str
    target: str | None = field(default=None, repr=False)
    details: str | None = field(default=None, repr=False)
    occurred_at: datetime | None = None


class Activities:
    """Records activities that the portal reports."""

    def __init__(self, accounts: MainAccounts, vault: Vault, clock: Clock) -> None:
        self._accounts = accounts
        self._vault = vault
        self._clock = clock

    def record(
        self,
        account_id: UUID,
        activities: Sequence[Activity],
        context: CommandContext,
        *,
        also_write: Callable[[RecordedReports, PersonKey], list[TransactionalWrite]] = lambda _reports, _key: [],
    ) -> Outcome[RecordedReports]:
        """Record all activities or none. Raises `InvalidValue` for the first with a sub-user of another account."""
        owner_key = load_owner_key(self._vault, account_id)
        sub_user_ids = [activity.sub_user_id for activity in activities]
        keys = reported_sub_user_keys(self._accounts, self._vault, account_id, sub_user_ids, "activities")
        now = self._clock()
        recorded_events = [
            _event(account_id, activity, keys[activity.sub_user_id], now, context) for activity in activities
        ]
        result = RecordedReports([event.originator_id for event in recorded_events])
        recordings = self._accounts.save(*recorded_events, writes=also_write(result, owner_key))
        return Outcome(result, recordings[-1].notification.id if recordings else None)


def _event(
    account_id: UUID, activity: Activity, key: PersonKey, now: datetime, context: CommandContext
) -> SubUserActivityRecorded:
    return SubUserActivityRecorded(
        originator_id=uuid4(),
        originator_version=1,
        timestamp=now,
        account_id=account_id,
        sub_user_id=activity.sub_user_id,
        action=activity.action,
        target=key.encrypt("target", activity.target) if activity.target is not None else None,
        details=key.encrypt("details", activity.details) if activity.details is not None else None,
        occurred_at=activity.occurred_at or now,
        **report_metadata(context, key),
    )
