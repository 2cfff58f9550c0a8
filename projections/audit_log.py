"""The view of everything that happened in an account: by whom, to whom, when, and where the whole of it stands.

What charts are made of is counted along with it: logins and activities, of each sub-user and of the whole account.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from domain import events
from projections.audit_actions import ACTIONS
from projections.statements import statements
from projections.stored_events import REPORTED, account_of, state_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from projections.audit_retention import AuditRetention
    from projections.event_log import Positioned

SQL = statements("projections", "audit_log")

ACTIVITY, LOGIN = events.SubUserActivityRecorded.TOPIC, events.SubUserLoggedIn.TOPIC
COUNTED = {LOGIN, ACTIVITY}

SHOWN = 5
"""Fields of a `Row` that are columns of the view."""


class Row(NamedTuple):
    """What is shown of an event: ids and times as the store has them."""

    position: int
    account_id: str
    action: str
    sub_user_id: str | None
    occurred_at: str
    recorded_at: str

    def is_recorded_since(self, moment: datetime) -> bool:
        """Say whether it is that recent."""
        return datetime.fromisoformat(self.recorded_at) >= moment


class AuditLog:
    """Follows every event."""

    name = "audit-log"
    tables = ("audit_view", "audit_counts", "audit_day_counts", "audit_older")

    def __init__(self, retention: AuditRetention) -> None:
        self._retention = retention

    def apply(self, connection: Connection[Any], batch: Sequence[Positioned]) -> None:
        """Take over these events, in the transaction that is open."""
        begins = self._retention.begins
        found = [row for one in batch if (row := row_of(one)) is not None]
        shown = [row for row in found if row.is_recorded_since(begins)]
        _copy(connection, "add_rows", [row[:SHOWN] for row in shown])
        if len(shown) < len(found):
            _copy(connection, "add_older", [row[:2] for row in found if not row.is_recorded_since(begins)])
        if any(one.stored.topic in COUNTED for one in batch):
            added = {"first": batch[0].position, "last": batch[-1].position, "begins": begins}
            topics = {"login": LOGIN, "activity": ACTIVITY}
            # Not prepared: to be planned for as many rows as there are by then.
            connection.execute(SQL["count"], added | topics, prepare=False)


def _copy(connection: Connection[Any], statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor, cursor.copy(SQL[statement]) as copy:
            for row in rows:
                copy.write_row(row)


def row_of(positioned: Positioned) -> Row | None:
    """Return what is shown of an event; nothing of one that is of no account, or of all."""
    stored = positioned.stored
    state = state_of(stored)
    account_id = account_of(stored, state)
    if account_id is None:
        return None
    action = state["action"] if stored.topic == ACTIVITY else ACTIONS[stored.topic]
    occurred_at = state["occurred_at" if stored.topic in REPORTED else "timestamp"]
    return Row(positioned.position, account_id, action, state.get("sub_user_id"), occurred_at, state["timestamp"])
