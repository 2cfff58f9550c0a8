"""Routes of the types of activities."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import command_context, require_account, service
from api.http.resources.activity_types.schemas import ActivityTypesAnswer, NewActivityTypes
from api.http.responses import etag, if_match_revisions, json_response
from api.http.routing import ETAG, IF_MATCH, RECORDED_POSITION, Routes
from application.commands.activity_types import ActivityEffect, ActivityGroup, ActivityType
from application.commands.api_keys import Scope

if TYPE_CHECKING:
    from flask import Response

routes = Routes("activity-types", "Names of the portal's activities for people")
ACTIVITY_TYPES = ActivityTypesAnswer()


@routes.route("GET", "/v1/activity-types", *Scope, response=(200, ActivityTypesAnswer), response_headers=(ETAG,))
def get_activity_types() -> Response:
    """Get the names and groups of the portal's activities."""
    activity_types = service().commands.activity_types.current()
    return json_response(ACTIVITY_TYPES.to_json(activity_types), headers={"ETag": etag(activity_types.revision)})


@routes.route(
    "PUT",
    "/v1/activity-types",
    Scope.PORTAL,
    problems=(HTTPStatus.PRECONDITION_FAILED,),
    headers=(IF_MATCH,),
    body=NewActivityTypes,
    response=(200, ActivityTypesAnswer),
    response_headers=(ETAG, RECORDED_POSITION),
)
def replace_activity_types(body: dict[str, Any]) -> Response:
    """Replace the names and groups of the portal's activities, for all accounts.

    The console and its exports show them at once, also for activities that were reported before. An action without a
    type keeps its code as its name.
    """
    require_account(None)
    outcome = service().commands.activity_types.replace(
        [ActivityGroup(**group) for group in body["groups"]],
        [
            ActivityType(**{**activity_type, "effect": ActivityEffect(activity_type["effect"])})
            for activity_type in body["activity_types"]
        ],
        command_context(),
        if_revisions=if_match_revisions(),
    )
    headers = {"ETag": etag(outcome.value.revision)}
    return json_response(ACTIVITY_TYPES.to_json(outcome.value), position=outcome.position, headers=headers)
