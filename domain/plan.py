"""What an account's single plan includes a month, what is used of it, and how its months go."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

MS_A_MINUTE = 60_000

THRESHOLDS = (80, 100)
"""Per cent of what is included, at which it is told that so much is used."""

REMEMBERED = timedelta(days=62)
"""How long it is remembered which thresholds were told: two months, so that no clock that is behind tells one again."""


class Resource(StrEnum):
    """What a plan includes, by the name that it goes by wherever its use is counted."""

    CONVERSATION = "conversation_ms"
    TOKENS = "llm_tokens"


@dataclass(frozen=True)
class Usage:
    """So much was used: milliseconds of conversation, and tokens."""

    conversation_ms: int = 0
    llm_tokens: int = 0

    def of(self, resource: Resource) -> int:
        """Return how much of this."""
        used: int = getattr(self, resource)
        return used

    def __add__(self, other: Usage) -> Usage:
        """Return both together."""
        return Usage(self.conversation_ms + other.conversation_ms, self.llm_tokens + other.llm_tokens)


@dataclass(frozen=True)
class Period:
    """A month of a plan, in UTC days: from the first one on, up to but not including `end`."""

    first: date
    end: date


@dataclass(frozen=True)
class Plan:
    """What is included in each period. Periods begin on the day of the month that `period_start` has.

    In a month without such a day they begin on its last one. Months before `period_start` are counted in the same way.
    """

    included_minutes: int
    included_tokens: int
    period_start: date

    @property
    def included(self) -> Usage:
        """What is included, in the units in which use is counted."""
        return Usage(self.included_minutes * MS_A_MINUTE, self.included_tokens)

    def period_of(self, day: date) -> Period:
        """Return the period that a day is in. Raises OverflowError in the first and the last month of the calendar."""
        first = self._start_in(day)
        if first > day:
            first = self._start_in(day.replace(day=1) - timedelta(days=1))
        following = first.replace(day=1) + timedelta(days=monthrange(first.year, first.month)[1])
        return Period(first, self._start_in(following))

    def _start_in(self, month: date) -> date:
        return month.replace(day=min(self.period_start.day, monthrange(month.year, month.month)[1]))


@dataclass(frozen=True)
class Threshold:
    """So many per cent of what the plan includes of a resource in a period."""

    resource: Resource
    percent: int
    period_start: date
    included: int

    def is_reached(self, used: Usage) -> bool:
        """Say whether so much is used; of what is not included at all no part is."""
        return self.included > 0 and used.of(self.resource) * 100 >= self.included * self.percent


def thresholds(plan: Plan, period: Period) -> list[Threshold]:
    """Return all that can be reached in a period, each resource's in order."""
    return [
        Threshold(resource, percent, period.first, plan.included.of(resource))
        for resource in Resource
        for percent in THRESHOLDS
    ]
