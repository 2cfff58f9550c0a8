"""Routes for usage and plans."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import command_context, service
from api.http.fields.times import require_past
from api.http.problems import unprocessable
from api.http.resources.usage.schemas import NewPlan, NewUsage, PlanAnswer, UsageAnswer, UsageQuery
from api.http.responses import IdempotentRequest, json_response, required_position
from api.http.routing import IDEMPOTENCY_KEY, RECORDED_POSITION, REQUIRED_POSITION, Routes
from api.http.schemas import RecordedAnswer
from application.commands.api_keys import Scope
from application.commands.usage import UsageReport
from application.errors import InvalidValue
from domain.plan import Plan

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from flask import Response

routes = Routes("usage", "Usage and plan of an account")
RECORDED = RecordedAnswer()
USAGE = UsageAnswer()
PLAN = PlanAnswer()
PATH = "/v1/accounts/<uuid:account_id>"


@routes.route(
    "POST",
    f"{PATH}/usage",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    headers=(IDEMPOTENCY_KEY,),
    body=NewUsage,
    response=(201, RecordedAnswer),
    response_headers=(RECORDED_POSITION,),
)
def record_usage(body: dict[str, Any], account_id: UUID) -> Response:
    """Report usage of sub-users.

    A request has up to 1,000 reports under `usage`, or is a single report itself. All reports are recorded, or none.
    """
    if "usage" in body:
        require_past(body["usage"], service().clock(), "usage")
    else:
        require_past([body], service().clock())
    idempotent_request: IdempotentRequest[Any] = IdempotentRequest(RECORDED, HTTPStatus.CREATED)
    reports = [UsageReport(**row) for row in body.get("usage", [body])]
    also_write = idempotent_request.store_for(lambda _: account_id)
    try:
        return idempotent_request.run(
            lambda: service().commands.usage.record(
                account_id, reports, command_context(account_id), also_write=also_write
            )
        )
    except InvalidValue as error:
        if "usage" in body:
            raise
        raise unprocessable({"sub_user_id": [error.reason]}) from None


@routes.route(
    "GET",
    f"{PATH}/usage",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND,),
    headers=(REQUIRED_POSITION,),
    query=UsageQuery,
    response=(200, UsageAnswer),
)
def get_usage(query: dict[str, Any], account_id: UUID) -> Response:
    """Get the usage of an account: in total, by UTC day, by sub-user, and of its plan in the current period.

    `since` is included, `until` is not. By default, the last day is today, and the first is the start of the last day's
    period or, without a plan, of its month.
    The totals include all sub-users; `visibility` selects the sub-users to list.
    """
    last_day = query["until"] and _day_before(query["until"])
    overview = service().queries.usage.overview(
        account_id, query["since"], last_day, query["visibility"], required_position()
    )
    return json_response(USAGE.to_json(overview))


@routes.route(
    "PUT",
    f"{PATH}/plan",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    body=NewPlan,
    response=(200, PlanAnswer),
    response_headers=(RECORDED_POSITION,),
)
def change_plan(body: dict[str, Any], account_id: UUID) -> Response:
    """Set the monthly plan of an account.

    A period begins each month on the day of `period_start`, or on the last day of a shorter month. When usage in the
    current period reaches 80 % and 100 % of an included amount, an event is recorded, once for each threshold. On the
    first day of a period, this also applies to the previous period.
    """
    outcome = service().commands.usage.set_plan(account_id, Plan(**body), command_context(account_id))
    return json_response(PLAN.to_json(outcome.value), position=outcome.position)


def _day_before(day: date) -> date:
    try:
        return day - timedelta(days=1)
    except OverflowError:
        raise unprocessable({"until": ["must be after 0001-01-01"]}) from None
