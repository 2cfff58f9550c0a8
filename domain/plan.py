"""Plan of an account: included amounts, monthly periods, usage, and usage thresholds."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MS_PER_MINUTE = 60_000

THRESHOLDS = (80, 100)
"""Percentages of the included amount at which an event reports the usage."""

MAX_PERIOD = timedelta(days=31)

NOTIFICATION_RETENTION = timedelta(days=62)
"""How long an account remembers reported thresholds. After two months, not even a worker whose clock is behind can
report a threshold of an earlier period again."""


class Resource(StrEnum):
    """Resources of a plan, named like their fields in `Usage` and in events."""

    CONVERSATION = "conversation_ms"
    TOKENS = "llm_tokens"


@dataclass(frozen=True)
class Usage:
    """Usage, in milliseconds of conversation and tokens of language models."""

    conversation_ms: int = 0
    llm_tokens: int = 0

    def of(self, resource: Resource) -> int:
        """Return the usage of one resource."""
        amount: int = getattr(self, resource)
        return amount

    def __add__(self, other: Usage) -> Usage:
        """Return the sum of two usages."""
        return Usage(self.conversation_ms + other.conversation_ms, self.llm_tokens + other.llm_tokens)


@dataclass(frozen=True)
class Period:
    """One month of a plan, in UTC days, from `first` up to but not including `end`."""

    first: date
    end: date


@dataclass(frozen=True)
class Plan:
    """Amounts included in each monthly period. Periods start on the day of the month of `period_start`.

    In a shorter month they start on its last day. Periods before `period_start` follow the same rule.
    """

    included_minutes: int
    included_tokens: int
    period_start: date

    @property
    def included(self) -> Usage:
        """The included amounts, in the units of usage."""
        return Usage(self.included_minutes * MS_PER_MINUTE, self.included_tokens)

    def period_of(self, day: date) -> Period:
        """Return the period that contains a day. Raises `OverflowError` in the first and last month of the calendar."""
        first = self._start_in(day)
        if first > day:
            first = self._start_in(day.replace(day=1) - timedelta(days=1))
        next_month = first.replace(day=1) + timedelta(days=monthrange(first.year, first.month)[1])
        return Period(first, self._start_in(next_month))

    def checked_periods(self, days: Iterable[date], today: date) -> list[Period]:
        """Return the periods of these days whose thresholds are still recorded today, in order.

        They are the current period and, on its first day, the previous one. Of earlier periods, the plan may have been
        another.
        """
        recent_days = {day for day in days if day >= today - MAX_PERIOD}
        periods = {self.period_of(day) for day in recent_days}
        return sorted((period for period in periods if period.end >= today), key=lambda period: period.first)

    def _start_in(self, month: date) -> date:
        return month.replace(day=min(self.period_start.day, monthrange(month.year, month.month)[1]))


@dataclass(frozen=True)
class Threshold:
    """Percentage of the included amount of a resource in a period."""

    resource: Resource
    percent: int
    period_start: date
    included: int

    def is_reached(self, used: Usage) -> bool:
        """Return whether the usage has reached the threshold. If nothing is included, it is never reached."""
        return self.included > 0 and used.of(self.resource) * 100 >= self.included * self.percent


def thresholds(plan: Plan, period: Period) -> list[Threshold]:
    """Return all thresholds of a period, in ascending order for each resource."""
    return [
        Threshold(resource, percent, period.first, plan.included.of(resource))
        for resource in Resource
        for percent in THRESHOLDS
    ]
