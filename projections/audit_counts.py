"""How much was done in an account: logins and activities per day and per person, in the days of whoever looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from application.errors import InvalidValue
from application.resources import ERASED
from projections.statements import statements

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from psycopg.rows import DictRow

    from projections.freshness import Database, Freshness

SQL = statements("projections", "audit_counts")

MOST_DAYS = 366
ALMOST_A_DAY = timedelta(days=1) - timedelta.resolution


@dataclass(frozen=True)
class DayCount:
    """What was done in one day."""

    day: date
    logins: int
    activities: int


@dataclass(frozen=True)
class PersonCount:
    """What one sub-user did; once they have been deleted `name` is "[erased]", and nothing of them is hidden."""

    sub_user_id: UUID
    name: str
    visible: bool
    logins: int
    activities: int


class AuditCounts:
    """Counts logins and activities once the view has all that was settled before.

    A day begins and ends as the time zone has it, `first` and `last` are both included. Counts go by the quarter of an
    hour, which is exact for every zone since 2012; before that, a few changed their clocks at minutes of their own.
    """

    def __init__(self, database: Database, freshness: Freshness) -> None:
        self._database = database
        self._freshness = freshness

    def per_day(
        self, account_id: UUID, time_zone: ZoneInfo, first: date, last: date, sub_user_id: UUID | None = None
    ) -> list[DayCount]:
        """Return every day in order, also those without anything; of one sub-user, or of all together.

        Raises `AccountNotFound`, and `InvalidValue` for more than 366 days or none.
        """
        starts = _starts(time_zone, first, last)
        wanted = {"person_id": sub_user_id or account_id, "starts": starts}
        found = {row["day"]: row for row in self._rows("per_day", account_id, starts, wanted)}
        nothing = {"logins": 0, "activities": 0}
        counts = [found.get(number, nothing) for number in range(1, len(starts))]
        return [
            DayCount(first + timedelta(days=number), count["logins"], count["activities"])
            for number, count in enumerate(counts)
        ]

    def per_person(self, account_id: UUID, time_zone: ZoneInfo, first: date, last: date) -> list[PersonCount]:
        """Return all who did anything in these days, those who did most first.

        Raises `AccountNotFound`, and `InvalidValue` for more than 366 days or none.
        """
        starts = _starts(time_zone, first, last)
        whole = {"whole_since": _utc_day(starts[0] + ALMOST_A_DAY), "whole_until": _utc_day(starts[-1])}
        rows = self._rows("per_person", account_id, starts, whole)
        counts = [PersonCount(**{**row, "name": row["name"] or ERASED}) for row in rows]
        return sorted(counts, key=lambda one: (-one.logins - one.activities, one.name, one.sub_user_id))

    def _rows(self, statement: str, account_id: UUID, starts: list[datetime], wanted: dict[str, Any]) -> list[DictRow]:
        self._freshness.of_account(account_id, None)
        self._freshness.of_view("audit-log")
        between = {"account_id": account_id, "since": starts[0], "until": starts[-1]}
        with self._database.get_connection() as connection:
            # Not prepared: the best plan for a day is not the best for a year.
            return connection.execute(SQL[statement], {**between, **wanted}, prepare=False).fetchall()


def _starts(time_zone: ZoneInfo, first: date, last: date) -> list[datetime]:
    """Return when each of these days begins, and when the last one ends. Raises `InvalidValue`."""
    days = (last - first).days + 1
    if not 1 <= days <= MOST_DAYS:
        raise InvalidValue("last", f"must be at most {MOST_DAYS - 1} days after the first day, and not before it")
    try:
        return [
            datetime.combine(first + timedelta(days=number), time.min, time_zone).astimezone(UTC)
            for number in range(days + 1)
        ]
    except OverflowError:
        raise InvalidValue("last", "must be within the calendar") from None


def _utc_day(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), time.min, UTC)
