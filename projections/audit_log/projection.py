"""Audit view: an index of each account's events by sub-user, action and time, and counts for charts.

Logins and activities are counted, per sub-user and for the whole account.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from adapters.postgres.event_store.stored_events import account_of, state_of
from adapters.postgres.sql_files import statements
from domain import events
from domain.event_metadata import ActorType
from projections.audit_log.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent
    from projections.audit_log.retention import AuditRetention

SQL = statements("projections.audit_log", "projection")

ACTIVITY, LOGIN = events.SubUserActivityRecorded.TOPIC, events.SubUserLoggedIn.TOPIC
COUNTED_TOPICS = {LOGIN, ACTIVITY}


class IndexRow(NamedTuple):
    """Row of the index: ids and times are text, as in the stored event."""

    position: int
    account_id: str
    action: str
    sub_user_id: str | None
    occurred_at: str
    actor_type: str
    actor_id: str | None
    recorded_at: str

    @property
    def columns(self) -> tuple[object, ...]:
        """The view's columns, in the order of `add_rows`."""
        return self[:-1]

    def is_recorded_since(self, moment: datetime) -> bool:
        """Return whether the event was recorded at a moment or later."""
        return datetime.fromisoformat(self.recorded_at) >= moment


class AuditLogProjection:
    """Indexes every event."""

    name = "audit-log"
    tables = ("audit_view", "audit_counts", "audit_day_counts", "audit_older")

    def __init__(self, retention: AuditRetention) -> None:
        self._retention = retention

    def apply(self, connection: Connection[Any], batch: Sequence[RecordedEvent]) -> None:
        """Apply these events in the current transaction."""
        retained_since = self._retention.retained_since
        rows = [row for event in batch if (row := index_row_of(event)) is not None]
        current = [row for row in rows if row.is_recorded_since(retained_since)]
        _copy(connection, "add_rows", [row.columns for row in current])
        if len(current) < len(rows):
            older = [row for row in rows if not row.is_recorded_since(retained_since)]
            _copy(connection, "add_older", [(row.position, row.account_id, row.sub_user_id) for row in older])
        if any(event.stored.topic in COUNTED_TOPICS for event in batch):
            bounds = {"first": batch[0].position, "last": batch[-1].position, "retained_since": retained_since}
            topics = {"login": LOGIN, "activity": ACTIVITY}
            # Not prepared, so that it is planned for the present size of the tables.
            connection.execute(SQL["count"], bounds | topics, prepare=False)


def _copy(connection: Connection[Any], statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor, cursor.copy(SQL[statement]) as copy:
            for row in rows:
                copy.write_row(row)


def index_row_of(recorded_event: RecordedEvent) -> IndexRow | None:
    """Return the row of an event, or None for an event that belongs to no single account."""
    stored = recorded_event.stored
    state = state_of(stored)
    account_id = account_of(stored, state)
    if account_id is None:
        return None
    action = state["action"] if stored.topic == ACTIVITY else ACTIONS[stored.topic]
    sub_user_id, recorded_at = state.get("sub_user_id"), state["timestamp"]
    if stored.topic in events.REPORTED_TOPICS:  # the actor of a report is the sub-user
        occurred_at, actor_type, actor_id = state["occurred_at"], ActorType.SUB_USER.value, sub_user_id
    else:
        occurred_at, actor_type, actor_id = recorded_at, state["actor_type"], state.get("actor_id")
    return IndexRow(
        recorded_event.position, account_id, action, sub_user_id, occurred_at, actor_type, actor_id, recorded_at
    )
