"""Geometry of the charts, in SVG units. Labels are HTML text and not part of the drawing."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from projections.audit_log.counts import DayCount, PersonCount

HEIGHT = 100.0
"""Height of a chart by day. Its width is `DAY_WIDTH` times the number of days."""

DAY_WIDTH = 10.0
LOGINS_OFFSET, ACTIVITIES_OFFSET, BAR_WIDTH = 1.0, 5.2, 3.8
"""Offsets and width of a day's two bars."""

MIN_BAR_HEIGHT = 1.5
"""Smallest height of a bar that is not zero, so that it stays visible."""

AMOUNT_OFFSET, AMOUNT_WIDTH = 1.0, 8.0
"""Offset and width of the bar in a chart with one bar a day."""

PERSON_WIDTH = 100.0
"""Width of the drawing of one person's bars."""

MAX_PEOPLE = 10


@dataclass(frozen=True)
class DayBars:
    """A day's counts, and the position of its bars."""

    count: DayCount
    x: float
    logins_height: float
    activities_height: float
    bar_width: float = BAR_WIDTH

    @property
    def logins_x(self) -> float:
        """The left edge of the bar of logins."""
        return _rounded(self.x + LOGINS_OFFSET)

    @property
    def activities_x(self) -> float:
        """The left edge of the bar of activities."""
        return _rounded(self.x + ACTIVITIES_OFFSET)


@dataclass(frozen=True)
class DayChart:
    """Two bars a day. `ticks` are the evenly spaced numbers of the scale, from top to bottom; `marks` its dates."""

    days: Sequence[DayBars]
    ticks: tuple[int, int, int]
    marks: Sequence[date]
    logins: int
    activities: int

    @property
    def width(self) -> float:
        """The width of the drawing."""
        return DAY_WIDTH * len(self.days)

    @property
    def counts(self) -> list[DayCount]:
        """The counts that the chart shows."""
        return [bars.count for bars in self.days]

    @property
    def is_empty(self) -> bool:
        """Whether all counts are zero."""
        return self.logins == self.activities == 0


@dataclass(frozen=True)
class AmountBar:
    """A day's amount, and the position of its bar."""

    day: date
    amount: float
    x: float
    height: float
    bar_width: float = AMOUNT_WIDTH

    @property
    def bar_x(self) -> float:
        """The left edge of the bar."""
        return _rounded(self.x + AMOUNT_OFFSET)


@dataclass(frozen=True)
class AmountChart:
    """One bar a day. `ticks` and `marks` are those of a `DayChart`."""

    days: Sequence[AmountBar]
    ticks: tuple[int, int, int]
    marks: Sequence[date]

    @property
    def width(self) -> float:
        """The width of the drawing."""
        return DAY_WIDTH * len(self.days)

    @property
    def is_empty(self) -> bool:
        """Whether all amounts are zero."""
        return not any(bar.amount for bar in self.days)


@dataclass(frozen=True)
class PersonBars:
    """A person's counts, and the widths of their stacked bars: activities, then logins."""

    count: PersonCount
    activities_width: float
    logins_width: float


def day_chart(counts: Sequence[DayCount]) -> DayChart:
    """Return the chart of one or more days."""
    top = scale_top(max(max(count.logins, count.activities) for count in counts))
    return DayChart(
        days=[
            DayBars(count, index * DAY_WIDTH, _height(count.logins, top), _height(count.activities, top))
            for index, count in enumerate(counts)
        ],
        ticks=(top, top // 2, 0),
        marks=_marks([count.day for count in counts]),
        logins=sum(count.logins for count in counts),
        activities=sum(count.activities for count in counts),
    )


def amount_chart(amounts: Sequence[tuple[date, float]]) -> AmountChart:
    """Return the chart of the amounts on one or more days."""
    top = scale_top(ceil(max(amount for _, amount in amounts)))
    return AmountChart(
        days=[
            AmountBar(day, amount, index * DAY_WIDTH, _height(amount, top))
            for index, (day, amount) in enumerate(amounts)
        ],
        ticks=(top, top // 2, 0),
        marks=_marks([day for day, _ in amounts]),
    )


def person_bars(counts: Sequence[PersonCount]) -> list[PersonBars]:
    """Return the bars of the `MAX_PEOPLE` most active people. `counts` is sorted, the most active first."""
    top_counts = counts[:MAX_PEOPLE]
    largest = max((count.logins + count.activities for count in top_counts), default=1)
    return [
        PersonBars(
            count,
            _rounded(PERSON_WIDTH * count.activities / largest),
            _rounded(PERSON_WIDTH * count.logins / largest),
        )
        for count in top_counts
    ]


def scale_top(largest: int) -> int:
    """Return the smallest of 2, 4, 6, 8, 10, 20, 40, … that is not below the largest value."""
    unit = 1
    while unit * 10 < largest:
        unit *= 10
    return next(step * unit for step in (2, 4, 6, 8, 10) if step * unit >= largest)


def _height(number: float, top: int) -> float:
    return max(MIN_BAR_HEIGHT, _rounded(HEIGHT * number / top)) if number else 0.0


def _rounded(units: float) -> float:
    return round(units, 2)


def _marks(days: Sequence[date]) -> list[date]:
    """Return the days to label: the first, the middle and the last, without duplicates."""
    return sorted({days[0], days[(len(days) - 1) // 2], days[-1]})
