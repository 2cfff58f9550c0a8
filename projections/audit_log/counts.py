"""Number of logins and activities in an account, per day and per sub-user, in a given time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import sql

from adapters.postgres.sql_files import statements
from application.commands.resources import ERASED
from application.errors import InvalidValue
from projections.audit_log.conditions import conditions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from psycopg.rows import DictRow

    from projections.audit_log.conditions import AuditFilter
    from projections.runtime.freshness import Database, Freshness

SQL = statements("projections.audit_log", "counts")

MAX_DAYS = 366


@dataclass(frozen=True)
class DayCount:
    """Logins and activities in one day."""

    day: date
    logins: int
    activities: int


@dataclass(frozen=True)
class PersonCount:
    """Logins and activities of one sub-user. For a deleted one, `name` is `ERASED` and `visible` is true."""

    sub_user_id: UUID
    name: str
    visible: bool
    logins: int
    activities: int


class AuditCounts:
    """Counts logins and activities, once the view contains every event recorded before the request.

    Days are those of the time zone, `first` and `last` included. Counts are stored per quarter of an hour. Since 2012,
    that is exact in every time zone; before then a few zones had other offsets.
    """

    def __init__(self, database: Database, freshness: Freshness) -> None:
        self._database = database
        self._freshness = freshness

    def per_day(
        self, account_id: UUID, time_zone: ZoneInfo, first: date, last: date, sub_user_id: UUID | None = None
    ) -> list[DayCount]:
        """Return every day in order, including empty ones, for one sub-user or for the whole account.

        Raises `AccountNotFound`, and `InvalidValue` unless there are 1 to 366 days.
        """
        day_starts = _day_starts(time_zone, first, last)
        parameters = {"person_id": sub_user_id or account_id, "day_starts": day_starts}
        rows_by_day = {row["day"]: row for row in self._rows("per_day", account_id, day_starts, parameters)}
        empty = {"logins": 0, "activities": 0}
        counts = [rows_by_day.get(number, empty) for number in range(1, len(day_starts))]
        return [
            DayCount(first + timedelta(days=number), count["logins"], count["activities"])
            for number, count in enumerate(counts)
        ]

    def per_person(self, account_id: UUID, time_zone: ZoneInfo, first: date, last: date) -> list[PersonCount]:
        """Return the sub-users that did anything on these days, the most active first.

        Raises `AccountNotFound`, and `InvalidValue` unless there are 1 to 366 days.
        """
        day_starts = _day_starts(time_zone, first, last)
        whole_days = {"whole_since": _first_utc_midnight(day_starts[0]), "whole_until": _utc_midnight(day_starts[-1])}
        rows = self._rows("per_person", account_id, day_starts, whole_days)
        return _sorted_person_counts(rows)

    def matching_per_day(
        self, account_id: UUID, audit_filter: AuditFilter, time_zone: ZoneInfo, first: date, last: date
    ) -> list[tuple[date, int]]:
        """Return every day with its number of events that match a filter, in order.

        Raises `AccountNotFound`, and `InvalidValue` unless there are 1 to 366 days.
        """
        day_starts = _day_starts(time_zone, first, last)
        rows = self._matching_rows("matching_per_day", account_id, audit_filter, day_starts)
        counts = {row["day"]: row["events"] for row in rows}
        return [(first + timedelta(days=number - 1), counts.get(number, 0)) for number in range(1, len(day_starts))]

    def matching_per_person(
        self, account_id: UUID, audit_filter: AuditFilter, time_zone: ZoneInfo, first: date, last: date
    ) -> list[PersonCount]:
        """Return the sub-users with their numbers of events that match a filter, as activities, the largest first.

        Raises `AccountNotFound`, and `InvalidValue` unless there are 1 to 366 days.
        """
        day_starts = _day_starts(time_zone, first, last)
        rows = self._matching_rows("matching_per_person", account_id, audit_filter, day_starts)
        return _sorted_person_counts(rows)

    def _matching_rows(
        self, statement: str, account_id: UUID, audit_filter: AuditFilter, day_starts: list[datetime]
    ) -> list[DictRow]:
        self._freshness.wait_for_account(account_id, None)
        self._freshness.wait_for_view("audit-log")
        selected = conditions(account_id, audit_filter)
        query = sql.SQL(SQL[statement]).format(where=selected.where)
        bounds = {"day_starts": day_starts, "first_start": day_starts[0], "last_end": day_starts[-1]}
        with self._database.get_connection() as connection:
            return connection.execute(query, {**selected.parameters, **bounds}, prepare=False).fetchall()

    def _rows(
        self, statement: str, account_id: UUID, day_starts: list[datetime], parameters: dict[str, Any]
    ) -> list[DictRow]:
        self._freshness.wait_for_account(account_id, None)
        self._freshness.wait_for_view("audit-log")
        common = {"account_id": account_id, "since": day_starts[0], "until": day_starts[-1]}
        with self._database.get_connection() as connection:
            # Not prepared: one day and one year need different plans.
            return connection.execute(SQL[statement], {**common, **parameters}, prepare=False).fetchall()


def _sorted_person_counts(rows: Sequence[DictRow]) -> list[PersonCount]:
    counts = [PersonCount(**{**row, "name": row["name"] or ERASED}) for row in rows]
    return sorted(counts, key=lambda count: (-count.logins - count.activities, count.name, count.sub_user_id))


def _day_starts(time_zone: ZoneInfo, first: date, last: date) -> list[datetime]:
    """Return the start of each day, and the end of the last one. Raises `InvalidValue`."""
    days = (last - first).days + 1
    if not 1 <= days <= MAX_DAYS:
        raise InvalidValue("last", f"must be at most {MAX_DAYS - 1} days after the first day, and not before it")
    try:
        return [
            datetime.combine(first + timedelta(days=number), time.min, time_zone).astimezone(UTC)
            for number in range(days + 1)
        ]
    except OverflowError:
        raise InvalidValue("last", "must be within the calendar") from None


def _first_utc_midnight(moment: datetime) -> datetime:
    """Return the first midnight at or after a moment in UTC."""
    return _utc_midnight(moment + timedelta(days=1) - timedelta.resolution)


def _utc_midnight(moment: datetime) -> datetime:
    """Return the last midnight at or before a moment in UTC."""
    return datetime.combine(moment.date(), time.min, UTC)
