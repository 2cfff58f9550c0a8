"""Filter of the activity page, read from the URL's query parameters."""

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
from api.presentation.event_kinds import actions_of_group, grouped_actions
from api.presentation.full_name import full_name
from application.display_text import isolate
from projections.audit_log.conditions import AuditFilter, Order
from projections.audit_log.search_text import search_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from application.commands.activity_types import ActivityTypes
    from application.commands.resources import SubUserDetails

ONE_DAY = timedelta(days=1)
VALID_DAY = validate.Range(date(1970, 1, 1), date(2999, 12, 31), error="must be a day from 1970 to 2999")
"""Days that Python's `datetime` can express in every time zone."""

UNTIL_BEFORE_FROM = "must not be before the first day"
UNKNOWN_GROUP = "is not a group of events"
NOBODY_FOUND = "nobody has this name or e-mail address"
SEVERAL_FOUND = "several people have this name"

DEFAULT_CHART_DAYS = 30
MAX_CHART_DAYS = 92
"""More days would not fit on the screen of a phone."""


class MonitoringQuery(Query):
    """Fields of the filter form. `person` is typed, and overrules `sub_user_id`; `action` overrules `group`."""

    sub_user_id = Id(load_default=None)
    person = Text(max_length=500, load_default=None)
    group = Text(max_length=80, load_default=None)
    action = Text(max_length=64, load_default=None)
    q = Text(max_length=100, load_default=None)
    first = fields.Date(data_key="from", load_default=None, validate=VALID_DAY)
    last = fields.Date(data_key="until", load_default=None, validate=VALID_DAY)


QUERY = MonitoringQuery(unknown=EXCLUDE)


@dataclass(frozen=True)
class MonitoringFilter:
    """Conditions on audit log rows; None means any.

    `first` and `last` are inclusive days in the visitor's time zone.
    """

    sub_user_id: UUID | None = None
    group: str | None = None
    action: str | None = None
    q: str | None = None
    first: date | None = None
    last: date | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the filter has no condition, so that it matches all rows."""
        return self == MonitoringFilter()

    @property
    def selects_events(self) -> bool:
        """Whether the filter has a condition on what happened, and not only on who and when."""
        return any((self.group, self.action, self.q))

    def url_parameters(self, **changes: Any) -> dict[str, Any]:
        """Return the query parameters of this filter, with some of them replaced. None removes one."""
        parameters = {**vars(self), "from": self.first, "until": self.last, "first": None, "last": None, **changes}
        return {name: value for name, value in parameters.items() if value is not None}

    def as_audit_filter(self, zone: ZoneInfo, activity_types: ActivityTypes) -> AuditFilter:
        """Return the corresponding filter of the audit log queries."""
        actions: tuple[str, ...] = (self.action,) if self.action is not None else ()
        excluded_actions: tuple[str, ...] = ()
        if self.group is not None:
            group_actions = actions_of_group(self.group, activity_types)
            actions = group_actions or ()
            excluded_actions = grouped_actions(activity_types) if group_actions is None else ()
        return AuditFilter(
            self.sub_user_id,
            actions,
            since=start_of_day(self.first, zone) if self.first else None,
            until=start_of_day(self.last + ONE_DAY, zone) if self.last else None,
            excluded_actions=excluded_actions,
            text=self.q,
            order=Order.OCCURRED_AT,
        )

    def chart_days(self, today: date) -> tuple[date, date]:
        """Return the charts' first and last day: `DEFAULT_CHART_DAYS` by default, at most `MAX_CHART_DAYS`."""
        last = self.last
        if last is None:
            last = today if self.first is None else max(today, self.first)
        first = self.first or last - (DEFAULT_CHART_DAYS - 1) * ONE_DAY
        return max(first, last - (MAX_CHART_DAYS - 1) * ONE_DAY), last


def parse_filter(
    sub_users: Sequence[SubUserDetails], activity_types: ActivityTypes
) -> tuple[Form, MonitoringFilter | None]:
    """Return the form in the URL, and its filter. The filter is None if the form has errors.

    Empty fields are ignored.
    """
    form = Form({name: value for name, value in request.args.items() if value.strip()})
    values = form.load_with(QUERY, {name: form[name] for name in form.values})
    typed_person = values.pop("person", None)
    if typed_person is not None:
        values["sub_user_id"] = _find_person(form, typed_person, sub_users)
    if values.get("action") is not None:
        values["group"] = None
    if values.get("group") is not None and not _is_group(values["group"], activity_types):
        form.add_field_error("group", UNKNOWN_GROUP)
    if form.errors:
        return form, None
    monitoring_filter = MonitoringFilter(**values)
    if monitoring_filter.first and monitoring_filter.last and monitoring_filter.last < monitoring_filter.first:
        form.add_field_error("until", UNTIL_BEFORE_FROM)
        return form, None
    return form, monitoring_filter


def person_option(sub_user: SubUserDetails) -> str:
    """Return the name and e-mail of a sub-user, as the form suggests them."""
    return isolate(f"{full_name(sub_user)} ({sub_user.email})")


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the start of a day in a time zone, in UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _find_person(form: Form, typed: str, sub_users: Sequence[SubUserDetails]) -> UUID | None:
    """Return the sub-user whose suggestion, e-mail or name was typed, in full or in part. Add an error without one."""
    searched = search_text(typed)
    exact = [
        sub_user for sub_user in sub_users if searched in map(search_text, (person_option(sub_user), sub_user.email))
    ]
    found = exact or [sub_user for sub_user in sub_users if searched in search_text(person_option(sub_user))]
    if len(found) == 1:
        return found[0].sub_user_id
    form.add_field_error("person", SEVERAL_FOUND if found else NOBODY_FOUND)
    return None


def _is_group(group: str, activity_types: ActivityTypes) -> bool:
    try:
        return actions_of_group(group, activity_types) != ()
    except KeyError:
        return False
