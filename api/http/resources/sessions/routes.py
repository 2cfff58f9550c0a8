"""Routes for sign-in, introspection, password change and log-out."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request

from api.http.authentication import api_key, command_context, require_account, service
from api.http.problems import unprocessable
from api.http.refusal_timing import uniform_refusals
from api.http.resources.sessions.schemas import (
    MAX_TOKEN_LENGTH,
    Introspection,
    IntrospectionAnswer,
    Login,
    OpenedSessionAnswer,
    OwnPassword,
)
from api.http.responses import json_response
from api.http.routing import RECORDED_POSITION, SESSION_TOKEN, Routes
from application.commands.api_keys import Scope
from application.sign_in.new_session import token_hash
from domain.permission_catalog import permissions_of

if TYPE_CHECKING:
    from flask import Response

    from domain.permission_catalog import Permission

routes = Routes("sessions", "Sessions of sub-users")
OPENED, INTROSPECTION = OpenedSessionAnswer(), IntrospectionAnswer()


@routes.route(
    "POST",
    "/v1/sessions",
    Scope.PORTAL,
    problems=(HTTPStatus.TOO_MANY_REQUESTS,),
    body=Login,
    response=(201, OpenedSessionAnswer),
    response_headers=(RECORDED_POSITION,),
)
def log_in(body: dict[str, Any]) -> Response:
    """Log a sub-user in.

    Every refused login gets the same response after the same time, regardless of the cause. A login with a temporary
    password opens a restricted session, which can only set a new password and log out.
    """
    if api_key().limits.accounts is not None:
        require_account(service().find_account_id(body["account_email"]))
    with uniform_refusals() as on_verified:
        outcome = service().commands.sub_user_sessions.log_in(
            **body, context=command_context(), on_verified=on_verified
        )
    return json_response(OPENED.to_json(outcome.value), HTTPStatus.CREATED, position=outcome.position)


@routes.route(
    "POST",
    "/v1/sessions/introspect",
    Scope.PORTAL,
    body=Introspection,
    response=(200, IntrospectionAnswer),
)
def introspect(body: dict[str, Any]) -> Response:
    """Check whether a session is active, and which permissions it has.

    The response has `allowed` if the request has `permission`. Each check counts as a use of the session.
    """
    session = service().queries.sessions.find(token_hash(body["token"]), service().clock())
    permission = body["permission"]
    if session is None or session.belongs_to_owner or not api_key().allows_account(session.account_id):
        state: dict[str, Any] = {"active": False}
        permissions: tuple[Permission, ...] = ()
    else:
        permissions = permissions_of(session.assurance)
        state = {
            "active": True,
            "account_id": session.account_id,
            "sub_user_id": session.person_id,
            "permissions": permissions,
            "must_change_password": session.assurance.is_restricted,
            "expires_at": session.expires_at,
        }
    if permission is not None:
        state["allowed"] = permission in permissions
    return json_response(INTROSPECTION.to_json(state))


@routes.route(
    "PUT",
    "/v1/sessions/current/password",
    Scope.PORTAL,
    problems=(HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND),
    headers=(SESSION_TOKEN,),
    body=OwnPassword,
    response=(200, OpenedSessionAnswer),
    response_headers=(RECORDED_POSITION,),
)
def change_own_password(body: dict[str, Any]) -> Response:
    """Replace the sub-user's password.

    All sessions of the sub-user end. The response has the token of a new session.
    """
    token = _session_token()
    with uniform_refusals() as on_verified:
        outcome = service().commands.sub_user_sessions.change_password(
            token, body["current_password"], body["new_password"], command_context(), on_verified
        )
    return json_response(OPENED.to_json(outcome.value), position=outcome.position)


@routes.route(
    "DELETE",
    "/v1/sessions/current",
    Scope.PORTAL,
    problems=(HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND),
    headers=(SESSION_TOKEN,),
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def log_out() -> Response:
    """Log a sub-user out."""
    outcome = service().commands.sub_user_sessions.log_out(_session_token(), command_context())
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


def _session_token() -> str:
    token = request.headers.get("Session-Token", "")
    if not 0 < len(token) <= MAX_TOKEN_LENGTH:
        raise unprocessable({"Session-Token": ["is missing"]})
    if api_key().limits.accounts is not None:
        session = service().queries.sessions.find(token_hash(token), service().clock())
        require_account(session.account_id if session is not None else None)
    return token
