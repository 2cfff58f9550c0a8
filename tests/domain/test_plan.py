"""Usage plans: their monthly periods and the thresholds of used amounts."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain import events
from domain.main_account import MainAccount
from domain.plan import Period, Plan, Resource, Usage
from domain.refusals import AccountIsClosed
from tests.domain.event_builders import CLOSED, REGISTERED
from tests.domain.given_when_then import EventSpec, event_spec, given, then_refused, when

MARCH = Period(date(2026, 3, 1), date(2026, 4, 1))
APRIL = Period(date(2026, 4, 1), date(2026, 5, 1))
MINUTE = 60_000
PLAN = Plan(included_minutes=1000, included_tokens=500, period_start=date(2026, 1, 1))
DAYS = st.dates(date(1, 3, 1), date(9999, 10, 31))


def plan_set(plan: Plan) -> EventSpec:
    return event_spec(events.MainAccountPlanSet, **vars(plan))


def reached(resource: Resource, percent: int, used: int, included: int, period: Period = MARCH) -> EventSpec:
    return event_spec(
        events.UsageThresholdReached,
        resource=resource,
        threshold=percent,
        period_start=period.first,
        used=used,
        included=included,
    )


def record(account: MainAccount, used: Usage, period: Period = MARCH) -> list[EventSpec]:
    return when(account, MainAccount.record_reached_thresholds, period, used)


def test_plan_is_set_and_changed() -> None:
    """Each change is an event; the same plan again records none."""
    account = given(REGISTERED)
    larger = Plan(2000, 500, PLAN.period_start)
    assert when(account, MainAccount.set_plan, PLAN) == [plan_set(PLAN)]
    assert when(account, MainAccount.set_plan, PLAN) == []
    assert when(account, MainAccount.set_plan, larger) == [plan_set(larger)]
    assert account.plan == larger


def test_plan_of_a_closed_account_cannot_change() -> None:
    then_refused(AccountIsClosed, given(REGISTERED, CLOSED), MainAccount.set_plan, PLAN)


def test_threshold_is_reached_once_per_period() -> None:
    """It is reached exactly at the amount, to the millisecond and the token. The next period starts again."""
    account = given(REGISTERED, plan_set(PLAN))
    assert record(account, Usage(800 * MINUTE - 1, 399)) == []
    assert record(account, Usage(800 * MINUTE, 399)) == [
        reached(Resource.CONVERSATION, 80, 800 * MINUTE, 1000 * MINUTE)
    ]
    assert record(account, Usage(900 * MINUTE, 400)) == [reached(Resource.TOKENS, 80, 400, 500)]
    assert record(account, Usage(1000 * MINUTE - 1, 499)) == []
    assert record(account, Usage(1000 * MINUTE, 499)) == [
        reached(Resource.CONVERSATION, 100, 1000 * MINUTE, 1000 * MINUTE)
    ]
    assert record(account, Usage(2000 * MINUTE, 499)) == []
    assert record(account, Usage(0, 500), APRIL) == [
        reached(Resource.TOKENS, 80, 500, 500, APRIL),
        reached(Resource.TOKENS, 100, 500, 500, APRIL),
    ]
    assert record(account, Usage(2000 * MINUTE, 499)) == []  # recorded by a host whose clock is behind


def test_raised_plan_can_reach_its_thresholds_again() -> None:
    """Each included amount has its own thresholds. Reverting the plan does not repeat them."""
    account = given(REGISTERED, plan_set(PLAN))
    record(account, Usage(1000 * MINUTE, 0))
    raised = Plan(2000, 500, PLAN.period_start)
    when(account, MainAccount.set_plan, raised)
    assert record(account, Usage(1599 * MINUTE, 0)) == []
    assert record(account, Usage(1600 * MINUTE, 0)) == [
        reached(Resource.CONVERSATION, 80, 1600 * MINUTE, 2000 * MINUTE)
    ]
    when(account, MainAccount.set_plan, PLAN)
    assert record(account, Usage(1700 * MINUTE, 0)) == []


def test_lowered_plan_may_reach_its_thresholds_at_once() -> None:
    account = given(REGISTERED, plan_set(PLAN))
    assert record(account, Usage(0, 300)) == []
    when(account, MainAccount.set_plan, Plan(1000, 300, PLAN.period_start))
    assert record(account, Usage(0, 300)) == [
        reached(Resource.TOKENS, 80, 300, 300),
        reached(Resource.TOKENS, 100, 300, 300),
    ]


def test_no_threshold_without_an_included_amount() -> None:
    assert record(given(REGISTERED), Usage(10**12, 10**12)) == []
    assert record(given(REGISTERED, plan_set(Plan(0, 0, PLAN.period_start))), Usage(10**12, 10**12)) == []


def test_threshold_is_reached_in_a_closed_account() -> None:
    """Usage before the closing may be reported later."""
    assert record(given(REGISTERED, plan_set(PLAN), CLOSED), Usage(0, 400)) == [reached(Resource.TOKENS, 80, 400, 500)]


@pytest.mark.parametrize(
    ("start", "day", "first", "end"),
    [
        ("2026-01-01", "2026-03-31", "2026-03-01", "2026-04-01"),
        ("2026-01-15", "2026-03-14", "2026-02-15", "2026-03-15"),
        ("2026-01-15", "2026-03-15", "2026-03-15", "2026-04-15"),
        ("2026-01-31", "2026-02-27", "2026-01-31", "2026-02-28"),
        ("2026-01-31", "2026-02-28", "2026-02-28", "2026-03-31"),
        ("2026-01-31", "2028-02-29", "2028-02-29", "2028-03-31"),
        ("2026-01-31", "2026-12-31", "2026-12-31", "2027-01-31"),
        ("2026-06-10", "2026-01-01", "2025-12-10", "2026-01-10"),
    ],
)
def test_period_begins_on_the_day_of_the_plan_or_the_last_of_the_month(
    start: str, day: str, first: str, end: str
) -> None:
    """This also applies to days before the plan's start."""
    plan = Plan(0, 0, date.fromisoformat(start))
    expected = Period(date.fromisoformat(first), date.fromisoformat(end))
    assert plan.period_of(date.fromisoformat(day)) == expected


@for_all(start=DAYS, day=DAYS)
def test_periods_cover_every_day_without_gaps(start: date, day: date) -> None:
    """Each period is one month long."""
    plan = Plan(0, 0, start)
    period = plan.period_of(day)
    assert period.first <= day < period.end
    assert plan.period_of(period.end).first == period.end
    assert plan.period_of(period.first - timedelta(days=1)).end == period.first
    assert 28 <= (period.end - period.first).days <= 31
