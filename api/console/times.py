"""Moments as people write them, in their language and their time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal

from domain.plan import MS_A_MINUTE

if TYPE_CHECKING:
    from datetime import tzinfo

LOCALES = {"en": Locale("en", "GB"), "it": Locale("it", "IT")}
"""English as most of the world writes its dates: day first, 24 hours."""

REMEMBERED = 4096
"""How many days or numbers are kept as they were written: a page has hundreds, mostly those of the page before."""

UTC_NAME = "UTC"
UNNAMED = frozenset({"localtime", "Factory"})
"""Not the name of a time zone anywhere else."""


@cache
def time_zone_names() -> tuple[str, ...]:
    """Return the time zones that a visitor can choose from."""
    regions = (
        "Africa/",
        "America/",
        "Antarctica/",
        "Asia/",
        "Atlantic/",
        "Australia/",
        "Europe/",
        "Indian/",
        "Pacific/",
    )
    return (UTC_NAME, *sorted(name for name in available_timezones() if name.startswith(regions)))


def time_zone(*names: str | None) -> ZoneInfo:
    """Return the first time zone that there is of these names, which may come from anywhere; UTC if there is none."""
    return ZoneInfo(next((name for name in names if name in _known_names()), None) or UTC_NAME)


@cache
def _known_names() -> frozenset[str]:
    """Return every name of a time zone. Kept, for finding them takes reading hundreds of files."""
    return frozenset(available_timezones() - UNNAMED)


def written_moment(moment: datetime, language: str, zone: tzinfo) -> str:
    """Return a day and the time on it."""
    return format_datetime(_local(moment, zone), "d MMM y, HH:mm", locale=LOCALES[language])


def written_time(moment: datetime, language: str, zone: tzinfo) -> str:
    """Return the time of day, to the second."""
    return format_time(_local(moment, zone), "HH:mm:ss", locale=LOCALES[language])


def short_time(moment: datetime, language: str, zone: tzinfo) -> str:
    """Return the time of day, to the minute."""
    return format_time(_local(moment, zone), "HH:mm", locale=LOCALES[language])


@lru_cache(REMEMBERED)
def written_day(day: date, language: str) -> str:
    """Return a day in full, with the day of the week."""
    return format_date(day, "full", locale=LOCALES[language])


@lru_cache(REMEMBERED)
def written_date(day: date, language: str) -> str:
    """Return a day, briefly."""
    return format_date(day, "d MMM y", locale=LOCALES[language])


@lru_cache(REMEMBERED)
def short_day(day: date, language: str) -> str:
    """Return a day of some known year."""
    return format_date(day, "d MMM", locale=LOCALES[language])


@lru_cache(REMEMBERED)
def written_month(month: date, language: str) -> str:
    """Return the month that a day is in, and its year."""
    return format_date(month, "LLLL y", locale=LOCALES[language])


def minutes(milliseconds: int) -> float:
    """Return how many minutes that is, to a tenth of one."""
    return round(milliseconds / MS_A_MINUTE, 1)


@lru_cache(REMEMBERED)
def written_number(number: float, language: str) -> str:
    """Return a number with the separators of the language."""
    return format_decimal(number, locale=LOCALES[language])


def in_form(moment: datetime | None, zone: tzinfo) -> str:
    """Return a moment as the value of an input of type datetime-local."""
    return "" if moment is None else _local(moment, zone).replace(tzinfo=None).isoformat(timespec="minutes")


def from_form(text: str, zone: tzinfo) -> datetime | None:
    """Return the moment that an input of type datetime-local holds; None if it is empty. Raises ValueError."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError(text)
    try:
        return moment.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        raise ValueError(text) from None


def _local(moment: datetime, zone: tzinfo) -> datetime:
    """Return a moment in a time zone; within hours of the first or the last there is, as it is."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment
