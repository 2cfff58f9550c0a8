"""Periods that the activity page offers as links."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE_DAY = timedelta(days=1)
DAYS_OF_WEEK = 7


@dataclass(frozen=True)
class Preset:
    """A period with the key of its text. Days have no text but their date."""

    name: str
    first: date
    last: date


def presets(today: date, beginning: date) -> list[Preset]:
    """Return the periods that end today or before it, without those that ended before the account existed."""
    this_month = today.replace(day=1)
    last_month = (this_month - ONE_DAY).replace(day=1)
    periods = [
        Preset("today", today, today),
        Preset("yesterday", today - ONE_DAY, today - ONE_DAY),
        Preset("last_7_days", today - (DAYS_OF_WEEK - 1) * ONE_DAY, today),
        Preset("this_month", this_month, today),
        Preset("last_month", last_month, this_month - ONE_DAY),
    ]
    return [period for period in periods if period.last >= beginning]


def recent_days(today: date, beginning: date) -> Iterator[date]:
    """Yield the days of the last week before yesterday, the latest first: "last Tuesday" is one of them."""
    for number in range(2, DAYS_OF_WEEK + 1):
        day = today - number * ONE_DAY
        if day >= beginning:
            yield day
