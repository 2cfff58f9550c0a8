"""Choice of the end of access in forms: common ends by name, or any other time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from api.console.pages import t, visitor_language
from api.http.authentication import service
from api.presentation import times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from api.console.forms import Form

INVALID_TIME = "must be a time such as 2026-05-01T00:00:00Z"
"""The HTTP API's error message. `Form` translates it for the page."""

END_OF_WORK = time(18)
FRIDAY = 4
LONG_PERIOD = timedelta(days=30)


class ExpiryChoice(StrEnum):
    """Ends of access that a form offers. They count from the moment at which the form is sent."""

    NONE = "none"
    FRIDAY = "friday"
    THIRTY_DAYS = "thirty_days"
    END_OF_MONTH = "end_of_month"
    OTHER = "other"
    """The time in the field `access_expires_at`."""


@dataclass(frozen=True)
class ExpiryOption:
    """An end of access to choose, with its label."""

    choice: ExpiryChoice
    label: str


def expiry_options(zone: ZoneInfo) -> Sequence[ExpiryOption]:
    """Return the ends of access to choose from, with the times that they mean now."""
    return [ExpiryOption(choice, _label(choice, zone)) for choice in ExpiryChoice]


def parse_expiry(form: Form, zone: ZoneInfo) -> datetime | None:
    """Return the chosen end of access; None for no end, or for a value that is not a time, which gets an error."""
    choice = form["expiry"] or ExpiryChoice.OTHER
    if choice == ExpiryChoice.OTHER:
        return parse_time(form, "access_expires_at", zone)
    if choice not in set(ExpiryChoice):
        form.add_field_error("access_expires_at", INVALID_TIME)
        return None
    return _end(ExpiryChoice(choice), zone)


def parse_time(form: Form, name: str, zone: ZoneInfo) -> datetime | None:
    """Return the value of a date field, None if it is empty or not a time. The latter adds an error to the form."""
    try:
        return times.parse_form_value(form[name], zone)
    except ValueError:
        form.add_field_error(name, INVALID_TIME)
        return None


def now() -> datetime:
    """Return the current time."""
    return service().clock()


def _end(choice: ExpiryChoice, zone: ZoneInfo) -> datetime | None:
    """Return the time that a choice means now, in the form's time zone."""
    local = now().astimezone(zone)
    match choice:
        case ExpiryChoice.FRIDAY:
            friday = _end_of_work(local.date() + timedelta(days=(FRIDAY - local.weekday()) % 7), zone)
            return friday if friday > local else _end_of_work(friday.date() + timedelta(days=7), zone)
        case ExpiryChoice.THIRTY_DAYS:
            return _end_of_work(local.date() + LONG_PERIOD, zone)
        case ExpiryChoice.END_OF_MONTH:
            last_day = _last_day_of_month(local.date())
            end = _end_of_work(last_day, zone)
            return end if end > local else _end_of_work(_last_day_of_month(last_day + timedelta(days=1)), zone)
        case _:
            return None


def _end_of_work(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, END_OF_WORK, zone)


def _last_day_of_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def _label(choice: ExpiryChoice, zone: ZoneInfo) -> str:
    end = _end(choice, zone)
    label = t(f"expiry.{choice}")
    return label if end is None else f"{label} · {times.format_date_and_time(end, visitor_language(), zone)}"
