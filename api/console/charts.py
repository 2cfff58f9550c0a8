"""Where the bars of charts stand, in the units of their drawings; what is written beside them is text of the page."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from projections.audit_counts import DayCount, PersonCount

HEIGHT = 100.0
"""Of the drawing of days, whose width is that of so many days."""

DAY_WIDTH = 10.0
LOGINS_AT, ACTIVITIES_AT, BAR_WIDTH = 1.0, 5.2, 3.8
"""Where the two bars of a day begin, and how wide each is."""

LOWEST_BAR = 1.5
"""What little there is has to be seen beside much."""

AMOUNT_AT, AMOUNT_WIDTH = 1.0, 8.0
"""Where the one bar of a day begins, and how wide it is, where there is but one."""

PERSON_WIDTH = 100.0
"""Of the drawing of one person's bars."""

MOST_PEOPLE = 10


@dataclass(frozen=True)
class DayBars:
    """A day, how much was done in it, and where its bars stand."""

    count: DayCount
    x: float
    logins_height: float
    activities_height: float
    bar_width: float = BAR_WIDTH

    @property
    def logins_x(self) -> float:
        """Where the bar of logins begins."""
        return _rounded(self.x + LOGINS_AT)

    @property
    def activities_x(self) -> float:
        """Where the bar of activities begins."""
        return _rounded(self.x + ACTIVITIES_AT)


@dataclass(frozen=True)
class DayChart:
    """Two bars a day. `ticks` are the numbers of the scale, from the top down, at equal distances."""

    days: Sequence[DayBars]
    ticks: tuple[int, int, int]
    marks: Sequence[date]
    logins: int
    activities: int

    @property
    def width(self) -> float:
        """How wide the drawing is."""
        return DAY_WIDTH * len(self.days)

    @property
    def counts(self) -> list[DayCount]:
        """What the chart shows, as numbers."""
        return [bars.count for bars in self.days]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was done at all."""
        return self.logins == self.activities == 0


@dataclass(frozen=True)
class AmountBar:
    """A day, what there was in it of something, and where its bar stands."""

    day: date
    amount: float
    x: float
    height: float
    bar_width: float = AMOUNT_WIDTH

    @property
    def bar_x(self) -> float:
        """Where the bar begins."""
        return _rounded(self.x + AMOUNT_AT)


@dataclass(frozen=True)
class AmountChart:
    """One bar a day. `ticks` are the numbers of the scale, as in a `DayChart`."""

    days: Sequence[AmountBar]
    ticks: tuple[int, int, int]
    marks: Sequence[date]

    @property
    def width(self) -> float:
        """How wide the drawing is."""
        return DAY_WIDTH * len(self.days)

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing at all."""
        return not any(bar.amount for bar in self.days)


@dataclass(frozen=True)
class PersonBars:
    """What a person did, and how long their bars are: activities first, logins behind them."""

    count: PersonCount
    activities_width: float
    logins_width: float


def day_chart(counts: Sequence[DayCount]) -> DayChart:
    """Return the chart of these days, one at least."""
    top = scale_top(max(max(one.logins, one.activities) for one in counts))
    return DayChart(
        days=[
            DayBars(one, number * DAY_WIDTH, _height(one.logins, top), _height(one.activities, top))
            for number, one in enumerate(counts)
        ],
        ticks=(top, top // 2, 0),
        marks=_marks([one.day for one in counts]),
        logins=sum(one.logins for one in counts),
        activities=sum(one.activities for one in counts),
    )


def amount_chart(amounts: Sequence[tuple[date, float]]) -> AmountChart:
    """Return the chart of what there was of something on each of these days, one at least."""
    top = scale_top(ceil(max(amount for _, amount in amounts)))
    return AmountChart(
        days=[
            AmountBar(day, amount, number * DAY_WIDTH, _height(amount, top))
            for number, (day, amount) in enumerate(amounts)
        ],
        ticks=(top, top // 2, 0),
        marks=_marks([day for day, _ in amounts]),
    )


def person_bars(counts: Sequence[PersonCount]) -> list[PersonBars]:
    """Return the bars of those who did most, who come first."""
    shown = counts[:MOST_PEOPLE]
    most = max((one.logins + one.activities for one in shown), default=1)
    return [
        PersonBars(one, _rounded(PERSON_WIDTH * one.activities / most), _rounded(PERSON_WIDTH * one.logins / most))
        for one in shown
    ]


def scale_top(most: int) -> int:
    """Return the round number that a scale ends with: the lowest of 2, 4, 6, 8, 10, 20, 40, … that has room."""
    unit = 1
    while unit * 10 < most:
        unit *= 10
    return next(step * unit for step in (2, 4, 6, 8, 10) if step * unit >= most)


def _height(number: float, top: int) -> float:
    return max(LOWEST_BAR, _rounded(HEIGHT * number / top)) if number else 0.0


def _rounded(units: float) -> float:
    return round(units, 2)


def _marks(days: Sequence[date]) -> list[date]:
    """Return the days that the scale names: the first, the middle, and the last, as far as these are others."""
    return sorted({days[0], days[(len(days) - 1) // 2], days[-1]})
