"""Usage of an account: by day and by sub-user, and how much of the plan is used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Any

from adapters.postgres.sql_files import statements
from application.errors import InvalidValue
from domain.plan import Period, Plan, Usage
from projections.audit_log.counts import MAX_DAYS

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection
    from psycopg.rows import DictRow

    from application.ports.clock import Clock
    from projections.runtime.freshness import Database, Freshness

SQL = statements("projections.usage", "queries")

ONE_DAY = timedelta(days=1)
VISIBILITIES = ("visible", "hidden", "all")
VISIBLE_VALUES = {"visible": {True}, "hidden": {False}, "all": {True, False}}


@dataclass(frozen=True)
class DayUsage:
    """Usage on one UTC day."""

    day: date
    used: Usage


@dataclass(frozen=True)
class SubUserUsage:
    """Usage of one sub-user."""

    sub_user_id: UUID
    name: str
    visible: bool
    used: Usage


@dataclass(frozen=True)
class PlanUsage:
    """A plan, its current period, and the usage in that period."""

    plan: Plan
    period: Period
    used: Usage


@dataclass(frozen=True)
class UsageOverview:
    """Usage from the first day to the last, both included.

    `days` has an item for every day. `sub_users` has the sub-users of the requested visibility that used anything.
    `deleted` sums up sub-users that have been deleted since. `total` includes everyone, listed or not.
    """

    first_day: date
    last_day: date
    total: Usage
    days: list[DayUsage]
    sub_users: list[SubUserUsage]
    deleted: Usage
    plan: PlanUsage | None

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.last_day + ONE_DAY


class UsageQueries:
    """Reads the usage view, once it contains every event recorded before the request."""

    def __init__(self, database: Database, freshness: Freshness, clock: Clock) -> None:
        self._database = database
        self._freshness = freshness
        self._clock = clock

    def overview(
        self,
        account_id: UUID,
        first_day: date | None = None,
        last_day: date | None = None,
        visibility: str = "visible",
        min_position: int | None = None,
    ) -> UsageOverview:
        """Return an account's usage from the first day to the last.

        The last day is today by default. The first is the start of its period or, without a plan, of its month. Raises
        `AccountNotFound`, and `InvalidValue` for days in the wrong order or more than 366 days.
        """
        self._freshness.wait_for_account(account_id, min_position)
        self._freshness.wait_for_view("usage")
        if min_position is not None:
            # `min_position` may be of an event that was recorded after the wait above began.
            self._freshness.wait_for_view("usage", min_position)
        with self._database.get_connection() as connection, connection.transaction():
            connection.execute(SQL["set_snapshot_isolation"])
            plan = self._plan(connection, account_id)
            first, last = self._days(first_day, last_day, plan)
            parameters = {"account_id": account_id, "first": first, "last": last}
            usage_by_day = {row["day"]: _usage(row) for row in connection.execute(SQL["per_day"], parameters)}
            rows = connection.execute(SQL["per_sub_user"], parameters).fetchall()
        return UsageOverview(
            first_day=first,
            last_day=last,
            total=sum(usage_by_day.values(), Usage()),
            days=[DayUsage(day, usage_by_day.get(day, Usage())) for day in _all_days(first, last)],
            sub_users=[_sub_user_usage(row) for row in rows if row["visible"] in VISIBLE_VALUES[visibility]],
            deleted=sum((_usage(row) for row in rows if row["sub_user_id"] is None), Usage()),
            plan=plan,
        )

    def _plan(self, connection: Connection[DictRow], account_id: UUID) -> PlanUsage | None:
        row = connection.execute(SQL["find_plan"], {"account_id": account_id}).fetchone()
        if row is None:
            return None
        plan = Plan(**row)
        period = plan.period_of(self._today())
        usage_row = connection.execute(SQL["used"], {"account_id": account_id, **vars(period)}).fetchone()
        return PlanUsage(plan, period, _usage(usage_row) if usage_row is not None else Usage())

    def _days(self, first: date | None, last: date | None, plan: PlanUsage | None) -> tuple[date, date]:
        last_day = last or self._today()
        if first is None:
            try:
                return (plan.plan.period_of(last_day).first if plan is not None else last_day.replace(day=1)), last_day
            except OverflowError:
                raise InvalidValue(
                    "until", "must be at least a month from the ends of the calendar (years 1 and 9999)"
                ) from None
        if 1 <= (last_day - first).days + 1 <= MAX_DAYS:
            return first, last_day
        if last is None:
            raise InvalidValue("since", f"must be today or at most {MAX_DAYS - 1} days before, unless `until` is set")
        raise InvalidValue("until", f"must be 1 to {MAX_DAYS} days after `since`")

    def _today(self) -> date:
        return self._clock().astimezone(UTC).date()


def _all_days(first: date, last: date) -> list[date]:
    return [first + number * ONE_DAY for number in range((last - first).days + 1)]


def _sub_user_usage(row: DictRow) -> SubUserUsage:
    return SubUserUsage(row["sub_user_id"], f"{row['name']} {row['surname']}", row["visible"], _usage(row))


def _usage(row: dict[str, Any]) -> Usage:
    return Usage(row["conversation_ms"], row["llm_tokens"])
