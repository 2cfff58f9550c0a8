"""What the plan is spent on: minutes and tokens, of the period that is running or of a month before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request
from marshmallow import EXCLUDE, fields

from api.console import times
from api.console.charts import amount_chart
from api.console.forms import Form
from api.console.pages import show, site
from api.console.visitors import OWNER, visitor
from api.http.doors import service
from api.http.schemas import Query
from domain.plan import THRESHOLDS, Resource, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask import Response

    from projections.usage_queries import PlanStanding, UsageOverview

MONTHS_OFFERED = 24
"""This one and those before it. Of an older one, the address can be typed."""

EARLIEST_YEAR = 1970
NO_MONTH = "must be a month such as 2026-05, from 1970 to this one"
A_YEAR = timedelta(days=365)


class UsageQuery(Query):
    """The fields of the form."""

    month = fields.Date("%Y-%m", load_default=None, error_messages={"invalid": NO_MONTH})


QUERY = UsageQuery(unknown=EXCLUDE)


@dataclass(frozen=True)
class Meter:
    """How much of what the plan includes of a resource is used, in minutes or in tokens; per cents are rounded down."""

    resource: Resource
    used: float
    included: int
    percent: int

    @classmethod
    def of(cls, resource: Resource, standing: PlanStanding) -> Meter:
        """Return how a plan stands."""
        used, included = standing.used.of(resource), standing.plan.included.of(resource)
        minutes, tokens = standing.plan.included_minutes, standing.plan.included_tokens
        return cls(
            resource,
            _shown(resource, used),
            minutes if resource is Resource.CONVERSATION else tokens,
            used * 100 // included if included else 0,
        )

    @property
    def filled(self) -> int:
        """How much of the meter's 100 parts is filled."""
        return min(self.percent, 100)

    @property
    def threshold(self) -> int | None:
        """The last threshold that was reached; None below the first."""
        return max((one for one in THRESHOLDS if self.percent >= one), default=None)


@site.page("/usage", to=OWNER)
def usage() -> Response:
    """Show minutes and tokens."""
    today = service().clock().astimezone(UTC).date()
    form = Form({name: value for name, value in request.args.items() if value.strip()})
    month = form.checked_by(QUERY, {name: form[name] for name in form.values}).get("month")
    if month is not None and not (month <= today and month.year >= EARLIEST_YEAR):
        form.refuse("month", NO_MONTH)
    if form.errors:
        return _page(form, today, None, HTTPStatus.UNPROCESSABLE_ENTITY)
    visibility = "all" if form.is_checked("hidden") else "visible"
    first, last = (month, min(today, _last_day(month))) if month else (None, None)
    found = service().usage_queries.overview(visitor().account_id, first, last, visibility)
    return _page(form, today, month, found=found, **_told(found, is_running=month is None))


def _told(found: UsageOverview, *, is_running: bool) -> dict[str, Any]:
    """Return what the page tells. How the plan stands is known of the period that is running alone."""
    standing = found.plan if is_running else None
    listed = sum((one.used for one in found.sub_users), found.deleted)
    unlisted = Usage(
        found.total.conversation_ms - listed.conversation_ms,
        found.total.llm_tokens - listed.llm_tokens,
    )
    return {
        "standing": standing,
        "meters": [Meter.of(resource, standing) for resource in Resource] if standing else [],
        "charts_of": {
            resource: amount_chart([(one.day, _shown(resource, one.used.of(resource))) for one in found.days])
            for resource in Resource
        },
        "unlisted": unlisted,
        "shown": _shown,
        "part_of_most": _parts([*(one.used for one in found.sub_users), found.deleted]),
        "nothing": Usage(),
        "is_unused": is_running and found.total == Usage() and _is_unused(found.last_day),
    }


def _parts(of_each: Sequence[Usage]) -> Callable[[Resource, Usage], float]:
    """Return what tells how long the bar of one person is, of 100, if that of who used most is as long as there is."""
    most = {resource: max(used.of(resource) for used in of_each) for resource in Resource}
    return lambda resource, used: round(100 * used.of(resource) / (most[resource] or 1), 1)


def _is_unused(today: date) -> bool:
    """Say whether nothing was recorded in a whole year: then there is nothing to choose from either."""
    return service().usage_queries.overview(visitor().account_id, today - A_YEAR, today).total == Usage()


def _page(form: Form, today: date, month: date | None, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
    months = _months(today)
    return show(
        "usage.html",
        status,
        active="usage",
        form=form,
        month=month,
        months=months if month is None or month in months else [*months, month],
        minutes=times.minutes,
        **values,
    )


def _months(today: date) -> list[date]:
    """Return the first days of the months that are offered, this one first."""
    months = [today.replace(day=1)]
    while len(months) < MONTHS_OFFERED:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months


def _last_day(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _shown(resource: Resource, used: int) -> float:
    """Return so much in minutes, or in tokens."""
    return times.minutes(used) if resource is Resource.CONVERSATION else used
