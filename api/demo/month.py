"""Sample activities and usage on the working days of the month before the first start.

They are late reports: `occurred_at` is in the past, and the history records them at the first start.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from api.demo import people
from api.demo.company import DEMO_CONTEXT
from application.commands.activities import Activity
from application.commands.usage import UsageReport
from domain.plan import MS_PER_MINUTE, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from api.demo.company import Company, CreatedSubUser
    from api.demo.people import Person

DAYS = 30
PERIOD_AGE_DAYS = 20
"""Days since the current period of the plan began."""

INCLUDED_MINUTES, INCLUDED_TOKENS = 2_000, 4_000_000
WORKDAY_START, WORKDAY_LENGTH = time(7, tzinfo=UTC), timedelta(hours=10)

MINUTES_PER_ACTIVITY, TOKENS_PER_ACTIVITY = (1.0, 12.0), (2_000, 24_000)
"""Ranges of usage."""

SATURDAY = 5

ACTIVITIES = (
    ("assistant.tested", "Front desk", {"calls": 3}),
    ("assistant.changed", "Front desk", {"field": "greeting"}),
    ("assistant.published", "Opening hours", None),
    ("tool.changed", "Calendar", None),
    ("rag_collection.updated", "Price list 2026", {"documents": 12}),
    ("statistics.viewed", None, None),
    ("report.downloaded", "Calls of the week", {"format": "pdf"}),
)
"""Action, target and details of the sample activities."""


def report_month(company: Company, created: Mapping[Person, CreatedSubUser]) -> None:
    """Report activities and usage of a month day by day, and set the account's plan."""
    now = company.service.clock()
    today = now.date()
    rng = random.Random(7)  # noqa: S311  # the same month at every first start, except for the dates
    for days_ago in range(DAYS, -1, -1):
        day = today - timedelta(days=days_ago)
        present = [person for person in people.PEOPLE if person.activities_per_day and days_ago >= person.left_days_ago]
        if day.weekday() < SATURDAY:
            times_by_sub_user = {
                created[person].sub_user_id: _random_times(day, person.activities_per_day, now, rng)
                for person in present
            }
            _report_day(company, times_by_sub_user, rng)
    plan = Plan(INCLUDED_MINUTES, INCLUDED_TOKENS, today - timedelta(days=PERIOD_AGE_DAYS))
    company.service.commands.usage.set_plan(company.account_id, plan, DEMO_CONTEXT)


def _report_day(company: Company, times_by_sub_user: Mapping[UUID, Sequence[datetime]], rng: random.Random) -> None:
    in_order = sorted((at, sub_user_id) for sub_user_id, times in times_by_sub_user.items() for at in times)
    activities = [_activity(sub_user_id, at, rng) for at, sub_user_id in in_order]
    usage = [_usage(sub_user_id, times, rng) for sub_user_id, times in times_by_sub_user.items() if times]
    company.service.commands.activities.record(company.account_id, activities, DEMO_CONTEXT)
    company.service.commands.usage.record(company.account_id, usage, DEMO_CONTEXT)


def _random_times(day: date, activities_per_day: int, now: datetime, rng: random.Random) -> list[datetime]:
    """Return random times of activities on a day, in order and before now."""
    start = datetime.combine(day, WORKDAY_START)
    times = sorted(start + WORKDAY_LENGTH * rng.random() for _ in range(rng.randint(0, 2 * activities_per_day)))
    return [at for at in times if at < now]


def _activity(sub_user_id: UUID, at: datetime, rng: random.Random) -> Activity:
    action, target, details = rng.choice(ACTIVITIES)
    return Activity(sub_user_id, action, target, json.dumps(details) if details else None, at)


def _usage(sub_user_id: UUID, times: Sequence[datetime], rng: random.Random) -> UsageReport:
    """Return the usage of a sub-user on a day, reported at the time of the last activity."""
    minutes, tokens = (len(times) * rng.uniform(*bounds) for bounds in (MINUTES_PER_ACTIVITY, TOKENS_PER_ACTIVITY))
    return UsageReport(sub_user_id, round(minutes * MS_PER_MINUTE), round(tokens), times[-1])
