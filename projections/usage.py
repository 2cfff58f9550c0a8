"""The view of what was used, by UTC day and sub-user, of what plans include, and of what is to be looked at again."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast

from domain import events
from domain.plan import Usage
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg import Connection

    from projections.event_log import Positioned

SQL = statements("projections", "usage")
FOLLOWED = {events.UsageRecorded.TOPIC, events.MainAccountPlanSet.TOPIC}

Key = tuple["UUID", "date", "UUID"]
"""An account, a day, a sub-user."""


class UsageView:
    """Follows reports of usage, and plans. Usage counts on the UTC day on which it occurred, whenever told."""

    name = "usage"
    tables = ("usage_view", "usage_plans", "usage_checks")

    def __init__(self, mapper: Mapper[UUID]) -> None:
        self._mapper = mapper

    def apply(self, connection: Connection[Any], batch: Sequence[Positioned]) -> None:
        """Take over these events, in the transaction that is open."""
        sums: dict[Key, Usage] = defaultdict(Usage)
        checks: set[tuple[UUID, date]] = set()
        for stored in (one.stored for one in batch if one.stored.topic in FOLLOWED):
            event = cast("object", self._mapper.to_domain_event(stored))
            match event:
                case events.UsageRecorded():
                    day = event.occurred_at.astimezone(UTC).date()
                    sums[event.account_id, day, event.sub_user_id] += Usage(event.conversation_ms, event.llm_tokens)
                    checks.add((event.account_id, day))
                case events.MainAccountPlanSet():
                    connection.execute(SQL["set_plan"], vars(event) | {"account_id": event.account_id})
                    checks.add((event.account_id, event.timestamp.astimezone(UTC).date()))
        if sums:
            connection.execute(SQL["add_usage"], _columns(sums))
        if checks:
            accounts, days = zip(*sorted(checks), strict=True)
            connection.execute(SQL["have_checked"], {"account_ids": list(accounts), "days": list(days)})


def _columns(sums: Mapping[Key, Usage]) -> dict[str, list[Any]]:
    return {
        "account_ids": [account_id for account_id, _, _ in sums],
        "days": [day for _, day, _ in sums],
        "sub_user_ids": [sub_user_id for _, _, sub_user_id in sums],
        "conversation_ms": [used.conversation_ms for used in sums.values()],
        "llm_tokens": [used.llm_tokens for used in sums.values()],
    }
