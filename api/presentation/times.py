"""Dates, times and numbers formatted for a language and a time zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_decimal

from api.presentation.expiry_bounds import EARLIEST_EXPIRY, LATEST_EXPIRY
from domain.plan import MS_PER_MINUTE

if TYPE_CHECKING:
    from datetime import timedelta, tzinfo

LOCALES = {"en": Locale("en", "GB"), "it": Locale("it", "IT")}
"""British English has dates with the day first and a 24-hour clock, which most countries use."""

CACHE_SIZE = 4096
"""Entries in each cache. A page formats hundreds of days and numbers, and most recur on the next page."""

UTC_NAME = "UTC"
NOT_TIME_ZONES = frozenset({"localtime", "Factory"})
"""Entries of the time zone database that are not time zones."""


@cache
def time_zone_names() -> tuple[str, ...]:
    """Return the names of the time zones that a visitor can choose from."""
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
    """Return the time zone of the first valid name; UTC if none is valid. The names can be untrusted input."""
    return ZoneInfo(next((name for name in names if name in _valid_names()), None) or UTC_NAME)


@cache
def _valid_names() -> frozenset[str]:
    """Return all names of time zones. Cached, because finding them reads hundreds of files."""
    return frozenset(available_timezones() - NOT_TIME_ZONES)


FIRST_OF_MONTH = re.compile(r"\b1 (?=[^\W\d])")


def _in_words_of(language: str, date_text: str) -> str:
    """Return a date as people of the language write it: Italian has an ordinal for the first of a month."""
    return FIRST_OF_MONTH.sub("1º ", date_text, count=1) if language == "it" else date_text


def format_date_and_time(moment: datetime, language: str, zone: tzinfo) -> str:
    """Return date and time to the minute, such as "1 May 2026, 10:00"."""
    return _in_words_of(language, format_datetime(to_zone(moment, zone), "d MMM y, HH:mm", locale=LOCALES[language]))


def format_time_with_seconds(moment: datetime, language: str, zone: tzinfo) -> str:
    """Return the time of day to the second."""
    return format_time(to_zone(moment, zone), "HH:mm:ss", locale=LOCALES[language])


def format_time_of_day(moment: datetime, language: str, zone: tzinfo) -> str:
    """Return the time of day to the minute."""
    return format_time(to_zone(moment, zone), "HH:mm", locale=LOCALES[language])


@lru_cache(CACHE_SIZE)
def format_full_date(day: date, language: str) -> str:
    """Return a date in full, such as "Friday, 1 May 2026"."""
    return _in_words_of(language, format_date(day, "full", locale=LOCALES[language]))


@lru_cache(CACHE_SIZE)
def format_weekday(day: date, language: str) -> str:
    """Return the weekday of a date."""
    return format_date(day, "EEEE", locale=LOCALES[language])


@lru_cache(CACHE_SIZE)
def format_short_date(day: date, language: str) -> str:
    """Return a short date, such as "1 May 2026"."""
    return _in_words_of(language, format_date(day, "d MMM y", locale=LOCALES[language]))


@lru_cache(CACHE_SIZE)
def format_day_and_month(day: date, language: str) -> str:
    """Return a short date without the year, such as "1 May"."""
    return _in_words_of(language, format_date(day, "d MMM", locale=LOCALES[language]))


@lru_cache(CACHE_SIZE)
def format_month(month: date, language: str) -> str:
    """Return month and year of a date, such as "May 2026"."""
    return format_date(month, "LLLL y", locale=LOCALES[language])


def format_duration(duration: timedelta, language: str) -> str:
    """Return a duration in its largest unit, such as "20 seconds"."""
    return format_timedelta(duration, locale=LOCALES[language])


def minutes(milliseconds: int) -> float:
    """Convert milliseconds to minutes, rounded to a tenth."""
    return round(milliseconds / MS_PER_MINUTE, 1)


@lru_cache(CACHE_SIZE)
def format_number(number: float, language: str) -> str:
    """Return a number with the language's separators."""
    return format_decimal(number, locale=LOCALES[language])


def to_form_value(moment: datetime | None, zone: tzinfo) -> str:
    """Return a time as the value of a datetime-local input; "" for None."""
    return "" if moment is None else to_zone(moment, zone).replace(tzinfo=None).isoformat(timespec="minutes")


def parse_form_value(text: str, zone: tzinfo) -> datetime | None:
    """Parse the value of a datetime-local input; None if it is empty.

    Raises ValueError if it is not a local time or outside `EARLIEST_EXPIRY` to `LATEST_EXPIRY`.
    """
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError(text)
    try:
        moment = moment.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        raise ValueError(text) from None
    if not EARLIEST_EXPIRY <= moment <= LATEST_EXPIRY:
        raise ValueError(text)
    return moment


def to_zone(moment: datetime, zone: tzinfo) -> datetime:
    """Convert a time to a time zone; to UTC if the result would be outside Python's calendar."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.astimezone(UTC)
