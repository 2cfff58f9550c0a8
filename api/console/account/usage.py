"""Usage page: minutes and tokens used in the current billing period or in an earlier month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request
from marshmallow import EXCLUDE, fields

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.monitoring.charts import amount_chart
from api.console.pages import blueprint, render_page
from api.http.authentication import service
from api.http.schemas import Query
from api.presentation import times
from domain.plan import THRESHOLDS, Resource, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask import Response

    from projections.usage.queries import PlanUsage, UsageOverview

MONTH_CHOICES = 24
"""How many months the form lists, the current one first. Earlier months are available by URL."""

EARLIEST_YEAR = 1970
MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
INVALID_MONTH = "must be a month such as 2026-05, from 1970 to this one"
YEAR = timedelta(days=365)


class Month(fields.Date):
    """A month. Python's `strptime` would also accept the digits of other scripts."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if not MONTH.fullmatch(value):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        return super()._deserialize(value, attr, data, **kwargs)


class UsageQuery(Query):
    """The form's fields."""

    month = Month("%Y-%m", load_default=None, error_messages={"invalid": INVALID_MONTH})


QUERY = UsageQuery(unknown=EXCLUDE)


@dataclass(frozen=True)
class Meter:
    """Used and included amount of a resource, in minutes or tokens, and the percentage used, rounded down."""

    resource: Resource
    used: float
    included: int
    percent: int

    @classmethod
    def of(cls, resource: Resource, plan_usage: PlanUsage) -> Meter:
        """Return the meter of a resource."""
        used, included = plan_usage.used.of(resource), plan_usage.plan.included.of(resource)
        minutes, tokens = plan_usage.plan.included_minutes, plan_usage.plan.included_tokens
        return cls(
            resource,
            _in_unit(resource, used),
            minutes if resource is Resource.CONVERSATION else tokens,
            used * 100 // included if included else 0,
        )

    @property
    def bar_percent(self) -> int:
        """The percentage for the progress bar, at most 100."""
        return min(self.percent, 100)

    @property
    def threshold(self) -> int | None:
        """The highest threshold reached; None below the first."""
        return max((threshold for threshold in THRESHOLDS if self.percent >= threshold), default=None)


@blueprint.page("/usage", audiences=OWNER)
def usage() -> Response:
    """Show usage per day and per sub-user, and how much of the plan is used."""
    today = service().clock().astimezone(UTC).date()
    form = Form({name: value for name, value in request.args.items() if value.strip()})
    month = form.load_with(QUERY, {name: form[name] for name in form.values}).get("month")
    if month is not None and not (month <= today and month.year >= EARLIEST_YEAR):
        form.add_field_error("month", INVALID_MONTH)
    if form.errors:
        return _page(form, today, None, HTTPStatus.UNPROCESSABLE_ENTITY)
    visibility = "all" if form.is_checked("hidden") else "visible"
    first, last = (month, min(today, _last_day(month))) if month else (None, None)
    overview = service().queries.usage.overview(visitor().account_id, first, last, visibility)
    return _page(form, today, month, overview=overview, **_template_values(overview, is_current=month is None))


def _template_values(overview: UsageOverview, *, is_current: bool) -> dict[str, Any]:
    """Return the template's values. How much of the plan is used is only known for the current period."""
    plan_usage = overview.plan if is_current else None
    listed = sum((row.used for row in overview.sub_users), overview.deleted)
    unlisted = Usage(
        overview.total.conversation_ms - listed.conversation_ms,
        overview.total.llm_tokens - listed.llm_tokens,
    )
    return {
        "plan_usage": plan_usage,
        "meters": [Meter.of(resource, plan_usage) for resource in Resource] if plan_usage else [],
        "charts_by_resource": {
            resource: amount_chart([(row.day, _in_unit(resource, row.used.of(resource))) for row in overview.days])
            for resource in Resource
        },
        "unlisted": unlisted,
        "in_unit": _in_unit,
        "bar_width": _bar_widths([*(row.used for row in overview.sub_users), overview.deleted]),
        "no_usage": Usage(),
        "is_unused": is_current and overview.total == Usage() and _is_unused(overview.last_day),
    }


def _bar_widths(usages: Sequence[Usage]) -> Callable[[Resource, Usage], float]:
    """Return a function that returns the width of a bar, as a percentage of the largest of these usages."""
    largest = {resource: max(used.of(resource) for used in usages) for resource in Resource}
    return lambda resource, used: round(100 * used.of(resource) / (largest[resource] or 1), 1)


def _is_unused(today: date) -> bool:
    """Return whether there was no usage in the last year. The page then shows an introduction instead of the form."""
    return service().queries.usage.overview(visitor().account_id, today - YEAR, today).total == Usage()


def _page(form: Form, today: date, month: date | None, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
    months = _months(today, visitor().account.created_at.astimezone(UTC).date())
    return render_page(
        "usage.html",
        status,
        active="usage",
        form=form,
        month=month,
        months=months if month is None or month in months else [*months, month],
        minutes=times.minutes,
        **values,
    )


def _months(today: date, registered_on: date) -> list[date]:
    """Return the first days of the months that the account has existed in, the current month first."""
    months = [today.replace(day=1)]
    while len(months) < MONTH_CHOICES and months[-1] > registered_on:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months


def _last_day(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _in_unit(resource: Resource, used: int) -> float:
    """Return an amount in minutes (stored as milliseconds) or in tokens."""
    return times.minutes(used) if resource is Resource.CONVERSATION else used
