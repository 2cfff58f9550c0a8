"""A month of the demo's company before it let anybody in, as its portal would report it: made up, and on working days.

What is reported late tells when it happened, and the history when it was recorded: at the first start.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from api.demo import people
from api.demo.company import BY_DEMO
from application.activities import Activity
from application.usage import UsageReport
from domain.plan import MS_A_MINUTE, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from api.demo.company import Admitted, Company
    from api.demo.people import Person

DAYS = 30
PLAN_DAYS = 20
"""How long the plan's present month has been running."""

INCLUDED_MINUTES, INCLUDED_TOKENS = 2_000, 4_000_000
OPENS, OPEN_FOR = time(7), timedelta(hours=10)
"""When in a day, in UTC, there is work, and for how long."""

MINUTES_EACH, TOKENS_EACH = (1.0, 12.0), (2_000, 24_000)
"""What goes with each thing that is done: from so much to so much."""

SATURDAY = 5

DONE = (
    ("assistant.tested", "Front desk", {"calls": 3}),
    ("assistant.changed", "Front desk", {"field": "greeting"}),
    ("assistant.published", "Opening hours", None),
    ("tool.changed", "Calendar", None),
    ("rag_collection.updated", "Price list 2026", {"documents": 12}),
    ("statistics.viewed", None, None),
    ("report.downloaded", "Calls of the week", {"format": "pdf"}),
)
"""What is done, on what, and what else is told of it."""


def report_month(company: Company, admitted: Mapping[Person, Admitted]) -> None:
    """Report what people did and used, day by day, and say what their company's plan includes."""
    now = company.service.clock()
    today = now.date()
    chance = random.Random(7)  # noqa: S311  # the same month at every first start, but for its dates
    for ago in range(DAYS, -1, -1):
        day = today - timedelta(days=ago)
        there = [person for person in people.PEOPLE if person.daily and ago >= person.left]
        if day.weekday() < SATURDAY:
            _report_day(
                company, {admitted[one].sub_user_id: _moments(day, one.daily, now, chance) for one in there}, chance
            )
    plan = Plan(INCLUDED_MINUTES, INCLUDED_TOKENS, today - timedelta(days=PLAN_DAYS))
    company.service.usage.set_plan(company.account_id, plan, BY_DEMO)


def _report_day(company: Company, moments: Mapping[UUID, Sequence[datetime]], chance: random.Random) -> None:
    in_order = sorted((moment, who) for who, all_of_them in moments.items() for moment in all_of_them)
    activities = [_activity(who, moment, chance) for moment, who in in_order]
    usage = [_usage(who, all_of_them, chance) for who, all_of_them in moments.items() if all_of_them]
    company.service.activities.record(company.account_id, activities, BY_DEMO)
    company.service.usage.record(company.account_id, usage, BY_DEMO)


def _moments(day: date, daily: int, now: datetime, chance: random.Random) -> list[datetime]:
    """Return when somebody did something in a day: in order, and before now."""
    opening = datetime.combine(day, OPENS, UTC)
    moments = sorted(opening + OPEN_FOR * chance.random() for _ in range(chance.randint(0, 2 * daily)))
    return [moment for moment in moments if moment < now]


def _activity(sub_user_id: UUID, moment: datetime, chance: random.Random) -> Activity:
    action, target, details = chance.choice(DONE)
    return Activity(sub_user_id, action, target, json.dumps(details) if details else None, moment)


def _usage(sub_user_id: UUID, moments: Sequence[datetime], chance: random.Random) -> UsageReport:
    """Return what somebody used in a day, told at its end."""
    minutes, tokens = (len(moments) * chance.uniform(*each) for each in (MINUTES_EACH, TOKENS_EACH))
    return UsageReport(sub_user_id, round(minutes * MS_A_MINUTE), round(tokens), moments[-1])
