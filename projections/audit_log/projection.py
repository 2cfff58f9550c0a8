"""Audit view: an index of each account's events by sub-user, action and time, and counts for charts.

Logins and activities are counted, per sub-user and for the whole account. Targets of activities are indexed under the
keys of their people.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from adapters.postgres.event_store.stored_events import account_of, state_of
from adapters.postgres.sql_files import statements
from domain import events
from domain.event_metadata import ActorType, Ciphertext
from projections.audit_log.actions import ACTIONS
from projections.audit_log.search_text import grams, search_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent
    from application.ports.vault import PersonKey, Vault
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
    encrypted_target: str | None
    recorded_at: str

    def columns(self, target: Target | None) -> tuple[object, ...]:
        """Return the view's columns, in the order of `add_rows`."""
        target_key = None if target is None else target.target_key
        who = (self.actor_type, self.actor_id)
        return (self.position, self.account_id, self.action, self.sub_user_id, self.occurred_at, *who, target_key)

    def is_recorded_since(self, moment: datetime) -> bool:
        """Return whether the event was recorded at a moment or later."""
        return datetime.fromisoformat(self.recorded_at) >= moment


class Target(NamedTuple):
    """What a person's activities were about, to search for: `target_key` identifies it."""

    account_id: str
    target_key: int
    sub_user_id: str
    signature: str
    sealed_target: str


class AuditLogProjection:
    """Indexes every event."""

    name = "audit-log"
    tables = ("audit_view", "audit_counts", "audit_day_counts", "audit_older", "audit_targets")

    def __init__(self, retention: AuditRetention, vault: Vault) -> None:
        self._retention = retention
        self._vault = vault

    def apply(self, connection: Connection[Any], batch: Sequence[RecordedEvent]) -> None:
        """Apply these events in the current transaction."""
        retained_since = self._retention.retained_since
        rows = [row for event in batch if (row := index_row_of(event)) is not None]
        current = [row for row in rows if row.is_recorded_since(retained_since)]
        targets = self._targets(current) if any(row.encrypted_target for row in current) else {}
        _copy(connection, "add_rows", [row.columns(targets.get(row.position)) for row in current])
        if targets:
            rows_json = json.dumps([target._asdict() for target in targets.values()])
            connection.execute(SQL["add_targets"], {"rows": rows_json}, prepare=True)
        if len(current) < len(rows):
            older = [row for row in rows if not row.is_recorded_since(retained_since)]
            _copy(connection, "add_older", [(row.position, row.account_id, row.sub_user_id) for row in older])
        if any(event.stored.topic in COUNTED_TOPICS for event in batch):
            bounds = {"first": batch[0].position, "last": batch[-1].position, "retained_since": retained_since}
            topics = {"login": LOGIN, "activity": ACTIVITY}
            # Not prepared, so that it is planned for the present size of the tables.
            connection.execute(SQL["count"], bounds | topics, prepare=False)

    def _targets(self, rows: Sequence[IndexRow]) -> dict[int, Target]:
        """Return the targets of activities, by position, without those of erased people."""
        encrypted = [
            (row.position, row.account_id, row.sub_user_id, Ciphertext(row.encrypted_target))
            for row in rows
            if row.sub_user_id is not None and row.encrypted_target is not None
        ]
        entries = self._vault.entries(list({UUID(sub_user_id) for _, _, sub_user_id, _ in encrypted}))
        return {
            position: _target(account_id, sub_user_id, entries[UUID(sub_user_id)].key, target)
            for position, account_id, sub_user_id, target in encrypted
            if UUID(sub_user_id) in entries
        }


def _target(account_id: str, sub_user_id: str, key: PersonKey, encrypted_target: Ciphertext) -> Target:
    searched = search_text(key.decrypt("target", encrypted_target))
    signature = f"{key.search_signature(grams(searched)):0256b}"
    return Target(account_id, key.target_key(searched), sub_user_id, signature, encrypted_target)


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
    is_activity = stored.topic == ACTIVITY
    action = state["action"] if is_activity else ACTIONS[stored.topic]
    sub_user_id, recorded_at = state.get("sub_user_id"), state["timestamp"]
    if stored.topic in events.REPORTED_TOPICS:  # the actor of a report is the sub-user
        occurred_at, actor_type, actor_id = state["occurred_at"], ActorType.SUB_USER.value, sub_user_id
    else:
        occurred_at, actor_type, actor_id = recorded_at, state["actor_type"], state.get("actor_id")
    return IndexRow(
        recorded_event.position,
        account_id,
        action,
        sub_user_id,
        occurred_at,
        actor_type,
        actor_id,
        encrypted_target=state.get("target") if is_activity else None,
        recorded_at=recorded_at,
    )
