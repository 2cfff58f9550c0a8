"""Routes of checks and reports of access."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import service
from api.http.resources.access.schemas import (
    AccessAnswer,
    AccessQuery,
    SessionResourcesAnswer,
    SessionResourcesQuery,
)
from api.http.resources.sessions.tokens import session_token
from api.http.responses import json_response
from api.http.routing import SESSION_TOKEN, Routes
from application.commands.access_control.checks import ResourcePage
from application.commands.api_keys import Scope
from application.errors import SessionEnded
from application.sign_in.new_session import token_hash
from domain.access_decision import Question
from domain.roles import Resource

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

routes = Routes("access", "Checks and reports of access")
ACCESS, SESSION_RESOURCES = AccessAnswer(), SessionResourcesAnswer()
NO_RESOURCES = ResourcePage(all=False, resource_type=None, items=(), next_cursor=None)


@routes.route(
    "GET",
    "/v1/sessions/current/resources",
    Scope.PORTAL,
    headers=(SESSION_TOKEN,),
    query=SessionResourcesQuery,
    response=(200, SessionResourcesAnswer),
)
def list_session_resources(query: dict[str, Any]) -> Response:
    """List the resources that a session may act on.

    If `all` is true, these are all resources of the permission's type. A portal then lists them itself.
    """
    access = service().commands.access
    checked = access.check_session(token_hash(session_token()), [])
    if checked is None or checked.session.belongs_to_owner:
        raise SessionEnded
    session = checked.session
    if not checked.has_level_for(query["permission"]):
        return json_response(SESSION_RESOURCES.to_json(NO_RESOURCES))
    page = access.page_of_resources(
        session.account_id, session.person_id, query["permission"], query["limit"], query["cursor"]
    )
    return json_response(SESSION_RESOURCES.to_json(page))


@routes.route(
    "GET",
    "/v1/accounts/<uuid:account_id>/access",
    Scope.PORTAL,
    Scope.AUDITOR,
    problems=(HTTPStatus.NOT_FOUND,),
    query=AccessQuery,
    response=(200, AccessAnswer),
)
def list_access(query: dict[str, Any], account_id: UUID) -> Response:
    """List who may do something: now, or at a moment in the past, which the events alone decide.

    A permission on everything includes every resource of its type.
    """
    resource = Resource(query["resource_type"], query["resource_id"]) if query["resource_id"] is not None else None
    question, queries = Question(query["permission"], resource), service().queries
    if query["as_of"] is None:
        found = service().commands.access.holders(account_id, question)
    else:
        found = queries.past_access.holders(account_id, question, query["as_of"])
    positions = queries.past_access.positions(account_id, found)
    items = [
        {**vars(holder.grant), "sub_user_id": holder.sub_user_id, "position": positions[holder.grant.version]}
        for holder in found
    ]
    return json_response(ACCESS.to_json({"items": items}))
