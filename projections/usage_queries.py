"""What is read of usage: all that an account used in some days, of whom that was, and how its plan stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Any

from application.errors import InvalidValue
from domain.plan import Period, Plan, Usage
from projections.audit_counts import MOST_DAYS
from projections.statements import statements

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection
    from psycopg.rows import DictRow

    from application.ports import Clock
    from projections.freshness import Database, Freshness

SQL = statements("projections", "usage_queries")

A_DAY = timedelta(days=1)
VISIBILITIES = ("visible", "hidden", "all")
LISTED = {"visible": {True}, "hidden": {False}, "all": {True, False}}


@dataclass(frozen=True)
class DayUsage:
    """What was used on one UTC day."""

    day: date
    used: Usage


@dataclass(frozen=True)
class SubUserUsage:
    """What one sub-user used."""

    sub_user_id: UUID
    name: str
    visible: bool
    used: Usage


@dataclass(frozen=True)
class PlanStanding:
    """A plan, its period that is running now, and what has been used in that."""

    plan: Plan
    period: Period
    used: Usage


@dataclass(frozen=True)
class UsageOverview:
    """What was used from the first day to the last, both included.

    `days` has every one of them. `sub_users` has those who used anything, if they are of the visibility asked for;
    those who were deleted since are together in `deleted`. `total` has all, listed or not.
    """

    first_day: date
    last_day: date
    total: Usage
    days: list[DayUsage]
    sub_users: list[SubUserUsage]
    deleted: Usage
    plan: PlanStanding | None

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.last_day + A_DAY


class UsageQueries:
    """Reads the view of usage once it has all that was settled before."""

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
        at_least: int | None = None,
    ) -> UsageOverview:
        """Return what an account used; without days, in its period that is running, or this month if it has no plan.

        Raises `AccountNotFound`, and `InvalidValue` for days in the wrong order or more than 366 of them.
        """
        self._freshness.of_account(account_id, at_least)
        self._freshness.of_view("usage")
        if at_least is not None:
            self._freshness.of_view("usage", at_least)
        with self._database.get_connection() as connection, connection.transaction():
            connection.execute(SQL["at_one_moment"])
            plan = self._plan(connection, account_id)
            first, last = self._days(first_day, last_day, plan)
            wanted = {"account_id": account_id, "first": first, "last": last}
            used = {row["day"]: _used(row) for row in connection.execute(SQL["per_day"], wanted)}
            rows = connection.execute(SQL["per_sub_user"], wanted).fetchall()
        return UsageOverview(
            first_day=first,
            last_day=last,
            total=sum(used.values(), Usage()),
            days=[DayUsage(day, used.get(day, Usage())) for day in _all_days(first, last)],
            sub_users=[_of_sub_user(row) for row in rows if row["visible"] in LISTED[visibility]],
            deleted=sum((_used(row) for row in rows if row["sub_user_id"] is None), Usage()),
            plan=plan,
        )

    def _plan(self, connection: Connection[DictRow], account_id: UUID) -> PlanStanding | None:
        row = connection.execute(SQL["find_plan"], {"account_id": account_id}).fetchone()
        if row is None:
            return None
        plan = Plan(**row)
        period = plan.period_of(self._today())
        used = connection.execute(SQL["used"], {"account_id": account_id, **vars(period)}).fetchone()
        return PlanStanding(plan, period, _used(used) if used is not None else Usage())

    def _days(self, first: date | None, last: date | None, plan: PlanStanding | None) -> tuple[date, date]:
        today = self._today()
        last = last or today
        first = first or (plan.period.first if plan is not None else today.replace(day=1))
        if not 1 <= (last - first).days + 1 <= MOST_DAYS:
            raise InvalidValue("until", f"must be 1 to {MOST_DAYS} days after the first day, which `since` names")
        return first, last

    def _today(self) -> date:
        return self._clock().astimezone(UTC).date()


def _all_days(first: date, last: date) -> list[date]:
    return [first + number * A_DAY for number in range((last - first).days + 1)]


def _of_sub_user(row: DictRow) -> SubUserUsage:
    return SubUserUsage(row["sub_user_id"], f"{row['name']} {row['surname']}", row["visible"], _used(row))


def _used(row: dict[str, Any]) -> Usage:
    return Usage(row["conversation_ms"], row["llm_tokens"])
