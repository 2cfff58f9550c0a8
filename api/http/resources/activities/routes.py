"""Route for reporting activities of sub-users."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import command_context, service
from api.http.fields.times import require_past
from api.http.resources.activities.schemas import NewActivities
from api.http.responses import IdempotentRequest
from api.http.routing import IDEMPOTENCY_KEY, RECORDED_POSITION, Routes
from api.http.schemas import RecordedAnswer
from application.commands.activities import Activity
from application.commands.api_keys import Scope

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

routes = Routes("activities", "Activities of sub-users on the portal")
RECORDED = RecordedAnswer()


@routes.route(
    "POST",
    "/v1/accounts/<uuid:account_id>/activities",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    headers=(IDEMPOTENCY_KEY,),
    body=NewActivities,
    response=(201, RecordedAnswer),
    response_headers=(RECORDED_POSITION,),
)
def record_activities(body: dict[str, Any], account_id: UUID) -> Response:
    """Report activities of sub-users.

    A request has up to 1,000 activities. All of them are recorded, or none.
    """
    require_past(body["activities"], service().clock(), "activities")
    idempotent_request: IdempotentRequest[Any] = IdempotentRequest(RECORDED, HTTPStatus.CREATED)
    activities = [Activity(**row) for row in body["activities"]]
    also_write = idempotent_request.store_for(lambda _: account_id)
    return idempotent_request.run(
        lambda: service().commands.activities.record(
            account_id, activities, command_context(account_id), also_write=also_write
        )
    )
