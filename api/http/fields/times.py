"""Fields for times and days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from marshmallow import ValidationError, fields

from api.http.problems import unprocessable
from api.presentation.expiry_bounds import EARLIEST_EXPIRY, LATEST_EXPIRY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")

EARLIEST_REPORT = datetime(2000, 1, 1, tzinfo=UTC)
"""No portal is older. Earlier times are zero values, such as 0001-01-01 in Go and .NET or 1970-01-01 in Unix time."""

CLOCK_TOLERANCE = timedelta(hours=1)
"""Allowed lead of the portal's clock over ours."""


class Time(fields.Field[datetime]):
    """A time in RFC 3339 with an offset; in UTC in responses. Give bounds for times that are stored."""

    default_error_messages = {  # noqa: RUF012  # declared by marshmallow
        "invalid": "must be a time such as 2026-05-01T00:00:00Z",
        "early": "must not be before {earliest}",
        "late": "must not be after {latest}",
    }

    def __init__(self, *, earliest: datetime | None = None, latest: datetime | None = None, **kwargs: Any) -> None:
        metadata = {"type": "string", "format": "date-time", **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)
        self._earliest, self._latest = earliest, latest

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else format_time(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            if not RFC_3339.fullmatch(value.upper()):
                raise self.make_error("invalid")
            moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (AttributeError, ValueError, OverflowError):
            raise self.make_error("invalid") from None
        if self._earliest is not None and moment < self._earliest:
            raise self.make_error("early", earliest=format_time(self._earliest))
        if self._latest is not None and moment > self._latest:
            raise self.make_error("late", latest=format_time(self._latest))
        return moment


class Expiry(Time):
    """An end time, in the past or the future, that can be shown in every time zone."""

    def __init__(self, **kwargs: Any) -> None:
        description = f"From 1970 up to {format_time(LATEST_EXPIRY)}, so that every time zone can show it."
        metadata = {"description": description, **kwargs.pop("metadata", {})}
        super().__init__(earliest=EARLIEST_EXPIRY, latest=LATEST_EXPIRY, metadata=metadata, **kwargs)


class TimeOrDay(Time):
    """A time in a query parameter, or a day, which means its beginning in UTC.

    OpenAPI has its format as `date-time`, so that generated clients take a time.
    """

    default_error_messages = {  # noqa: RUF012  # declared by marshmallow
        "invalid": "must be a time such as 2026-05-01T00:00:00Z, or a day such as 2026-05-01",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if isinstance(value, str) and DAY.fullmatch(value):
            value = f"{value}T00:00:00Z"
        return super()._deserialize(value, attr, data, **kwargs)


class Day(fields.Field[date]):
    """A day, given as a date or as its beginning in UTC."""

    default_error_messages = {  # noqa: RUF012  # declared by marshmallow
        "invalid": "must be a day such as 2026-05-01, or its beginning in UTC such as 2026-05-01T00:00:00Z",
    }

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"type": "string", "format": "date", **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)

    def _serialize(self, value: date | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        try:
            if DAY.fullmatch(value):
                return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid") from None
        try:
            moment: datetime = Time().deserialize(value)
        except ValidationError:
            raise self.make_error("invalid") from None
        if moment.time() != time.min:
            raise self.make_error("invalid")
        return moment.date()


def format_time(moment: datetime) -> str:
    """Return a time in the format of responses: RFC 3339 in UTC, with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class ReportedTime(Time):
    """Time of a reported activity or usage."""

    def __init__(self, **kwargs: Any) -> None:
        description = "From 2000 on, and at most an hour ahead of the service's clock. Default: now."
        metadata = {"description": description, **kwargs.pop("metadata", {})}
        super().__init__(earliest=EARLIEST_REPORT, metadata=metadata, **kwargs)


def require_past(reports: Iterable[Mapping[str, Any]], now: datetime, name: str | None = None) -> None:
    """Raise a problem for reports from the future. `name` is the field of the list, None if the body is the report."""
    for index, report in enumerate(reports):
        occurred_at = report.get("occurred_at")
        if occurred_at is not None and occurred_at > now + CLOCK_TOLERANCE:
            errors: dict[str, Any] = {"occurred_at": ["must not be in the future"]}
            raise unprocessable(errors if name is None else {name: {str(index): errors}})
