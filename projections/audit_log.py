"""The view of everything that happened in an account: by whom, to whom, when, and where the whole of it stands.

What charts are made of is counted along with it: logins and activities, of each sub-user and of the whole account.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from domain import events
from projections.audit_rows import place_of
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from eventsourcing.persistence import Mapper
    from psycopg import Connection

    from projections.audit_retention import AuditRetention
    from projections.audit_rows import Recorded
    from projections.event_log import Positioned

SQL = statements("projections", "audit_log")

COUNTED = {events.SubUserLoggedIn.TOPIC: (1, 0), events.SubUserActivityRecorded.TOPIC: (0, 1)}
"""Topic to what it adds: logins, activities."""

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
BEGINNING = datetime.min.replace(tzinfo=UTC)

Key = tuple["UUID", "UUID", datetime]
"""An account, a person (or the account again, for all of them), and when a quarter of an hour or a day begins."""


class AuditLog:
    """Follows every event."""

    name = "audit-log"
    tables = ("audit_view", "audit_counts", "audit_day_counts", "audit_older")

    def __init__(self, mapper: Mapper[UUID], retention: AuditRetention) -> None:
        self._mapper = mapper
        self._retention = retention

    def apply(self, connection: Connection[Any], batch: Sequence[Positioned]) -> None:
        """Take over these events, in the transaction that is open."""
        begins = self._retention.begins
        found = [(row, one.stored.topic) for one in batch if (row := self._row(one)) is not None]
        with connection.cursor() as cursor:
            cursor.executemany(SQL["add_row"], [row for row, _ in found if row["recorded_at"] >= begins])
            cursor.executemany(SQL["add_older"], [row for row, _ in found if row["recorded_at"] < begins])
        facts = [(row, topic) for row, topic in found if topic in COUNTED and row["occurred_at"] >= begins]
        if facts:
            connection.execute(SQL["add_to_quarters"], _summed(_of_quarters(facts)))
            connection.execute(SQL["add_to_days"], _summed(_of_days(facts)))

    def _row(self, positioned: Positioned) -> dict[str, Any] | None:
        """Return what is shown of an event; nothing of one that is of no account, or of all."""
        event = cast("Recorded", self._mapper.to_domain_event(positioned.stored))
        place = place_of(event)
        told = {"position": positioned.position, "recorded_at": event.timestamp}
        return None if place is None else {**told, **vars(place)}


def _of_quarters(facts: Iterable[tuple[dict[str, Any], str]]) -> Iterable[tuple[Key, str]]:
    for row, topic in facts:
        for whose in (row["sub_user_id"], row["account_id"]):
            yield (row["account_id"], whose, _beginning(row["occurred_at"], QUARTER)), topic


def _of_days(facts: Iterable[tuple[dict[str, Any], str]]) -> Iterable[tuple[Key, str]]:
    for row, topic in facts:
        yield (row["account_id"], row["sub_user_id"], _beginning(row["occurred_at"], DAY)), topic


def _beginning(moment: datetime, length: timedelta) -> datetime:
    """Return when the quarter of an hour, or the UTC day, begins that a moment is in."""
    moment = moment.astimezone(UTC)
    return moment - (moment - BEGINNING) % length


def _summed(facts: Iterable[tuple[Key, str]]) -> dict[str, list[Any]]:
    """Return the columns of rows to add, each key once."""
    logins: Counter[Key] = Counter()
    activities: Counter[Key] = Counter()
    for key, topic in facts:
        more_logins, more_activities = COUNTED[topic]
        logins[key] += more_logins
        activities[key] += more_activities
    return {
        "account_ids": [account_id for account_id, _, _ in logins],
        "person_ids": [person_id for _, person_id, _ in logins],
        "times": [beginning for _, _, beginning in logins],
        "logins": list(logins.values()),
        "activities": list(activities.values()),
    }
