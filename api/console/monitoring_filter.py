"""What of the audit log an owner asks to see, as a form without scripts puts it into an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from flask import request
from marshmallow import EXCLUDE, fields, validate

from api.console.forms import Form
from api.http.fields import Text
from api.http.schemas import Query
from projections.audit_queries import AuditFilter

if TYPE_CHECKING:
    from uuid import UUID
    from zoneinfo import ZoneInfo

A_DAY = timedelta(days=1)
IN_OUR_TIME = validate.Range(date(1970, 1, 1), date(2999, 12, 31), error="must be a day from 1970 to 2999")
"""Days whose beginning can be told in any time zone."""

BACKWARDS = "must not be before the first day"

USUAL_DAYS = 30
MOST_DAYS = 92
"""As many as can be told apart on a phone."""


class MonitoringQuery(Query):
    """The fields of the form."""

    sub_user_id = fields.UUID(load_default=None)
    action = Text(longest=64, load_default=None)
    first = fields.Date(data_key="from", load_default=None, validate=IN_OUR_TIME)
    last = fields.Date(data_key="until", load_default=None, validate=IN_OUR_TIME)


QUERY = MonitoringQuery(unknown=EXCLUDE)


@dataclass(frozen=True)
class Wanted:
    """What to show; None leaves nothing out. Both days are included, as the viewer's time zone has them."""

    sub_user_id: UUID | None = None
    action: str | None = None
    first: date | None = None
    last: date | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Wanted()

    def in_address(self, **instead: Any) -> dict[str, Any]:
        """Return the parameters of an address that asks for this, or for something else instead."""
        every = {"sub_user_id": self.sub_user_id, "action": self.action, "from": self.first, "until": self.last}
        return {name: value for name, value in {**every, **instead}.items() if value is not None}

    def in_log(self, zone: ZoneInfo) -> AuditFilter:
        """Return what that means to the audit log."""
        return AuditFilter(
            self.sub_user_id,
            self.action,
            since=_beginning(self.first, zone) if self.first else None,
            until=_beginning(self.last + A_DAY, zone) if self.last else None,
        )

    def charted(self, today: date) -> tuple[date, date]:
        """Return the first and the last day of charts: a month if nothing else is asked for, a quarter at most."""
        last = self.last or max(today, self.first or today)
        first = self.first or last - (USUAL_DAYS - 1) * A_DAY
        return max(first, last - (MOST_DAYS - 1) * A_DAY), last


def asked_for() -> tuple[Form, Wanted | None]:
    """Return the form that the address holds, and what it asks for; None if it was refused. Empty fields are none."""
    form = Form({name: value for name, value in request.args.items() if value.strip()})
    checked = form.checked_by(QUERY, {name: form[name] for name in form.values})
    if form.errors:
        return form, None
    wanted = Wanted(**checked)
    if wanted.first and wanted.last and wanted.last < wanted.first:
        form.refuse("until", BACKWARDS)
        return form, None
    return form, wanted


def _beginning(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
