"""Usage by UTC day and sub-user, the plans, and the accounts to check for usage thresholds."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast

from adapters.postgres.sql_files import statements
from domain import events
from domain.plan import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent

SQL = statements("projections.usage", "projection")
FOLLOWED_TOPICS = {events.UsageRecorded.TOPIC, events.MainAccountPlanSet.TOPIC}

Key = tuple["UUID", "date", "UUID"]
"""Account, day and sub-user."""


class UsageProjection:
    """Sums up usage reports, and stores plans. Usage counts on the UTC day on which it occurred."""

    name = "usage"
    tables = ("usage_view", "usage_plans", "usage_checks")

    def __init__(self, mapper: Mapper[UUID]) -> None:
        self._mapper = mapper

    def apply(self, connection: Connection[Any], batch: Sequence[RecordedEvent]) -> None:
        """Apply these events in the current transaction."""
        usage_by_key: dict[Key, Usage] = defaultdict(Usage)
        checks: set[tuple[UUID, date]] = set()
        for stored_event in (recorded.stored for recorded in batch if recorded.stored.topic in FOLLOWED_TOPICS):
            event = cast("object", self._mapper.to_domain_event(stored_event))
            match event:
                case events.UsageRecorded():
                    day = event.occurred_at.astimezone(UTC).date()
                    usage_by_key[event.account_id, day, event.sub_user_id] += Usage(
                        event.conversation_ms, event.llm_tokens
                    )
                    checks.add((event.account_id, day))
                case events.MainAccountPlanSet():
                    connection.execute(SQL["set_plan"], vars(event) | {"account_id": event.account_id})
                    checks.add((event.account_id, event.timestamp.astimezone(UTC).date()))
        if usage_by_key:
            connection.execute(SQL["add_usage"], _columns(usage_by_key))
        if checks:
            accounts, days = zip(*sorted(checks), strict=True)
            connection.execute(SQL["schedule_checks"], {"account_ids": list(accounts), "days": list(days)})


def _columns(usage_by_key: Mapping[Key, Usage]) -> dict[str, list[Any]]:
    return {
        "account_ids": [account_id for account_id, _, _ in usage_by_key],
        "days": [day for _, day, _ in usage_by_key],
        "sub_user_ids": [sub_user_id for _, _, sub_user_id in usage_by_key],
        "conversation_ms": [usage.conversation_ms for usage in usage_by_key.values()],
        "llm_tokens": [usage.llm_tokens for usage in usage_by_key.values()],
    }
