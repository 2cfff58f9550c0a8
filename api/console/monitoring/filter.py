"""Filter of the monitoring page, read from the URL's query parameters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from flask import request
from marshmallow import EXCLUDE, fields, validate

from api.console.forms import Form
from api.http.fields.numbers import Id
from api.http.fields.texts import Text
from api.http.schemas import Query
from projections.audit_log.conditions import AuditFilter

if TYPE_CHECKING:
    from uuid import UUID
    from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
VALID_DAY = validate.Range(date(1970, 1, 1), date(2999, 12, 31), error="must be a day from 1970 to 2999")
"""Days that Python's `datetime` can express in every time zone."""

UNTIL_BEFORE_FROM = "must not be before the first day"

DEFAULT_CHART_DAYS = 30
MAX_CHART_DAYS = 92
"""More days would not fit on the screen of a phone."""


class MonitoringQuery(Query):
    """Fields of the filter form."""

    sub_user_id = Id(load_default=None)
    action = Text(max_length=64, load_default=None)
    first = fields.Date(data_key="from", load_default=None, validate=VALID_DAY)
    last = fields.Date(data_key="until", load_default=None, validate=VALID_DAY)


QUERY = MonitoringQuery(unknown=EXCLUDE)


@dataclass(frozen=True)
class MonitoringFilter:
    """Conditions on audit log rows; None means any.

    `first` and `last` are inclusive days in the visitor's time zone.
    """

    sub_user_id: UUID | None = None
    action: str | None = None
    first: date | None = None
    last: date | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the filter has no condition, so that it matches all rows."""
        return self == MonitoringFilter()

    def url_parameters(self, **changes: Any) -> dict[str, Any]:
        """Return the query parameters of this filter, with some of them replaced. None removes one."""
        parameters = {"sub_user_id": self.sub_user_id, "action": self.action, "from": self.first, "until": self.last}
        return {name: value for name, value in {**parameters, **changes}.items() if value is not None}

    def as_audit_filter(self, zone: ZoneInfo) -> AuditFilter:
        """Return the corresponding filter of the audit log queries."""
        return AuditFilter(
            self.sub_user_id,
            (self.action,) if self.action is not None else (),
            since=_start_of_day(self.first, zone) if self.first else None,
            until=_start_of_day(self.last + ONE_DAY, zone) if self.last else None,
        )

    def chart_days(self, today: date) -> tuple[date, date]:
        """Return the charts' first and last day: `DEFAULT_CHART_DAYS` by default, at most `MAX_CHART_DAYS`."""
        last = self.last
        if last is None:
            last = today if self.first is None else max(today, self.first)
        first = self.first or last - (DEFAULT_CHART_DAYS - 1) * ONE_DAY
        return max(first, last - (MAX_CHART_DAYS - 1) * ONE_DAY), last


def parse_filter() -> tuple[Form, MonitoringFilter | None]:
    """Return the form in the URL, and its filter. The filter is None if the form has errors.

    Empty fields are ignored.
    """
    form = Form({name: value for name, value in request.args.items() if value.strip()})
    values = form.load_with(QUERY, {name: form[name] for name in form.values})
    if form.errors:
        return form, None
    monitoring_filter = MonitoringFilter(**values)
    if monitoring_filter.first and monitoring_filter.last and monitoring_filter.last < monitoring_filter.first:
        form.add_field_error("until", UNTIL_BEFORE_FROM)
        return form, None
    return form, monitoring_filter


def _start_of_day(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
