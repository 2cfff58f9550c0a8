"""Routes for sign-in, introspection, password change and log-out."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request

from api.http.authentication import (
    OAUTH_INTROSPECTION_PATH,
    api_key,
    command_context,
    require_account,
    service,
)
from api.http.problems import unprocessable
from api.http.refusal_timing import uniform_refusals
from api.http.resources.sessions.schemas import (
    MAX_TOKEN_LENGTH,
    Introspection,
    IntrospectionAnswer,
    Login,
    OAuthIntrospection,
    OAuthIntrospectionAnswer,
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

    from application.commands.resources import SubUserDetails
    from application.ports.sessions import Session
    from domain.permission_catalog import Permission

routes = Routes("sessions", "Sessions of sub-users")
OPENED, INTROSPECTION = OpenedSessionAnswer(), IntrospectionAnswer()
OAUTH_INTROSPECTION = OAuthIntrospectionAnswer()


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
def introspect_session(body: dict[str, Any]) -> Response:
    """Check whether a session is active, and which permissions it has.

    The response has `allowed` if the request has `permission`, and the sub-user's name and e-mail if it has `profile`.
    Each check counts as a use of the session.
    """
    session, permission = _find_session(body["token"]), body["permission"]
    holder = _find_holder(session) if session is not None and body["profile"] else None
    state: dict[str, Any] = {"active": False}
    permissions: tuple[Permission, ...] = ()
    if session is not None and (holder is not None or not body["profile"]):
        permissions = permissions_of(session.assurance)
        state = {
            "active": True,
            "account_id": session.account_id,
            "sub_user_id": session.person_id,
            "permissions": permissions,
            "must_change_password": session.assurance.is_restricted,
            "expires_at": session.expires_at,
        }
        if holder is not None:
            state |= {"email": holder.email, "name": holder.name, "surname": holder.surname}
    if permission is not None:
        state["allowed"] = permission in permissions
    return json_response(INTROSPECTION.to_json(state))


@routes.route(
    "POST",
    OAUTH_INTROSPECTION_PATH,
    Scope.PORTAL,
    form=OAuthIntrospection,
    response=(200, OAuthIntrospectionAnswer),
)
def introspect_token(form: dict[str, Any]) -> Response:
    """Check whether a session is active, by RFC 7662 (OAuth 2.0 Token Introspection).

    The API key is the bearer token of the request, or the password of HTTP Basic with any user name.
    """
    session = _find_session(form["token"])
    holder = _find_holder(session) if session is not None else None
    if session is None or holder is None:
        return json_response(OAUTH_INTROSPECTION.to_json({"active": False}))
    return json_response(
        OAUTH_INTROSPECTION.to_json(
            {
                "active": True,
                "sub": session.person_id,
                "scope": " ".join(permissions_of(session.assurance)),
                "username": holder.email,
                "name": f"{holder.name} {holder.surname}",
                "client_id": api_key().api_key_id,
                "exp": int(session.expires_at.timestamp()),
                "token_type": "session",
                "account_id": session.account_id,
                "must_change_password": session.assurance.is_restricted,
            }
        )
    )


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


def _find_session(token: str) -> Session | None:
    """Return a sub-user's valid session, and record its use. None if the API key is not allowed for the account."""
    session = service().queries.sessions.find(token_hash(token), service().clock())
    if session is None or session.belongs_to_owner or not api_key().allows_account(session.account_id):
        return None
    return session


def _find_holder(session: Session) -> SubUserDetails | None:
    return service().commands.sub_user_sessions.find_holder(session.account_id, session.person_id)


def _session_token() -> str:
    token = request.headers.get("Session-Token", "")
    if not 0 < len(token) <= MAX_TOKEN_LENGTH:
        raise unprocessable({"Session-Token": ["is missing"]})
    if api_key().limits.accounts is not None:
        session = service().queries.sessions.find(token_hash(token), service().clock())
        require_account(session.account_id if session is not None else None)
    return token
