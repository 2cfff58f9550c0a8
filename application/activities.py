"""What the portal reports that sub-users did: facts, each a stream of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.keys import owner_key
from application.main_accounts import Outcome
from application.reports import keys_of_reported
from domain.events import SubUserActivityRecorded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from application.main_accounts import MainAccounts
    from application.origin import Origin
    from application.ports import Clock, PersonKey, Vault
    from application.records import Record


@dataclass(frozen=True)
class Activity:
    """One thing that a sub-user did, in the portal's own words. `details` is JSON text."""

    sub_user_id: UUID
    action: str
    target: str | None = field(default=None, repr=False)
    details: str | None = field(default=None, repr=False)
    occurred_at: datetime | None = None


class Activities:
    """Records what the portal reports."""

    def __init__(self, accounts: MainAccounts, vault: Vault, clock: Clock) -> None:
        self._accounts = accounts
        self._vault = vault
        self._clock = clock

    def record(
        self,
        account_id: UUID,
        activities: Sequence[Activity],
        origin: Origin,
        *,
        keep: Callable[[list[UUID], PersonKey], list[Record]] = lambda _ids, _key: [],
    ) -> Outcome[list[UUID]]:
        """Record them all, or none. Raises `InvalidValue` naming the first whose sub-user is not the account's."""
        owner = owner_key(self._vault, account_id)
        sub_user_ids = [activity.sub_user_id for activity in activities]
        keys = keys_of_reported(self._accounts, self._vault, account_id, sub_user_ids, "activities")
        now = self._clock()
        facts = [_fact(account_id, activity, keys[activity.sub_user_id], now, origin) for activity in activities]
        ids = [fact.originator_id for fact in facts]
        recordings = self._accounts.save(*facts, records=keep(ids, owner))
        return Outcome(ids, recordings[-1].notification.id if recordings else None)


def _fact(
    account_id: UUID, activity: Activity, key: PersonKey, now: datetime, origin: Origin
) -> SubUserActivityRecorded:
    cause = origin.sealed_with(key)
    return SubUserActivityRecorded(
        originator_id=uuid4(),
        originator_version=1,
        timestamp=now,
        account_id=account_id,
        sub_user_id=activity.sub_user_id,
        action=activity.action,
        target=key.seal("target", activity.target) if activity.target is not None else None,
        details=key.seal("details", activity.details) if activity.details is not None else None,
        occurred_at=activity.occurred_at or now,
        request_id=cause.request_id,
        ip=cause.ip,
        user_agent=cause.user_agent,
    )
