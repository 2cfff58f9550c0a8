"""What the portal reports that sub-users did."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.answers import Once
from api.http.doors import origin, service
from api.http.routes import IDEMPOTENCY_KEY, POSITION, Routes
from api.http.schemas import NewActivities, RecordedAnswer
from application.activities import Activity
from application.api_keys import Scope

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

routes = Routes("activities", "What sub-users do on the portal")
RECORDED = RecordedAnswer()


@routes.door(
    "POST",
    "/v1/accounts/<uuid:account_id>/activities",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    headers=(IDEMPOTENCY_KEY,),
    body=NewActivities,
    gives=(201, RecordedAnswer),
    tells=(POSITION,),
)
def record_activities(body: dict[str, Any], account_id: UUID) -> Response:
    """Report what sub-users did, up to 1,000 things at a time, all or nothing."""
    once: Once[Any] = Once(RECORDED, HTTPStatus.CREATED)
    activities = [Activity(**row) for row in body["activities"]]
    keep = once.keep(lambda _: account_id)
    return once.run(lambda: service().activities.record(account_id, activities, origin(account_id), keep=keep))
