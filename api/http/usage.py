"""What sub-users use of their account's plan."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.answers import Once, answer, demanded_position
from api.http.doors import origin, service
from api.http.problems import unprocessable
from api.http.routes import EVENT_POSITION, IDEMPOTENCY_KEY, POSITION, Routes
from api.http.schemas import NewPlan, NewUsage, PlanAnswer, RecordedAnswer, UsageAnswer, UsageQuery
from application.api_keys import Scope
from application.errors import InvalidValue
from application.usage import UsageReport
from domain.plan import Plan

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from flask import Response

routes = Routes("usage", "What sub-users use of an account's plan")
RECORDED = RecordedAnswer()
USAGE = UsageAnswer()
PLAN = PlanAnswer()
PATH = "/v1/accounts/<uuid:account_id>"


@routes.door(
    "POST",
    f"{PATH}/usage",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    headers=(IDEMPOTENCY_KEY,),
    body=NewUsage,
    gives=(201, RecordedAnswer),
    tells=(POSITION,),
)
def record_usage(body: dict[str, Any], account_id: UUID) -> Response:
    """Report what sub-users used, up to 1,000 reports at a time, all or nothing.

    A single report may also be the body itself.
    """
    once: Once[Any] = Once(RECORDED, HTTPStatus.CREATED)
    reports = [UsageReport(**row) for row in body.get("usage", [body])]
    keep = once.keep(lambda _: account_id)
    try:
        return once.run(lambda: service().usage.record(account_id, reports, origin(account_id), keep=keep))
    except InvalidValue as refused:
        if "usage" in body:
            raise
        raise unprocessable({"sub_user_id": [refused.reason]}) from None


@routes.door(
    "GET",
    f"{PATH}/usage",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND,),
    headers=(EVENT_POSITION,),
    query=UsageQuery,
    gives=(200, UsageAnswer),
)
def show_usage(query: dict[str, Any], account_id: UUID) -> Response:
    """Show what an account used: in all, by UTC day, by sub-user, and of its plan in the period that is running.

    `since` is included, `until` is not; without them it is the running period up to today, or this month where there is
    no plan. Everybody counts in the totals; only those of the visibility asked for are listed.
    """
    last = query["until"] and _day_before(query["until"])
    overview = service().usage_queries.overview(
        account_id, query["since"], last, query["visibility"], demanded_position()
    )
    return answer(USAGE.written(overview))


@routes.door(
    "PUT",
    f"{PATH}/plan",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    body=NewPlan,
    gives=(200, PlanAnswer),
    tells=(POSITION,),
)
def set_plan(body: dict[str, Any], account_id: UUID) -> Response:
    """Say what an account's plan includes each month.

    Periods begin on the day of the month that `period_start` has, or on the last day of a month without it. When 80 %
    and 100 % of what is included are used in the running period, each is told once, as an event.
    """
    outcome = service().usage.set_plan(account_id, Plan(**body), origin(account_id))
    return answer(PLAN.written(outcome.value), position=outcome.position)


def _day_before(day: date) -> date:
    try:
        return day - timedelta(days=1)
    except OverflowError:
        raise unprocessable({"until": ["must be within the calendar"]}) from None
