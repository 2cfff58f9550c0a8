"""Routes for sign-in, introspection, password change and log-out."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import (
    OAUTH_INTROSPECTION_PATH,
    api_key,
    command_context,
    require_account,
    service,
)
from api.http.metrics import count_decisions
from api.http.problems import unprocessable
from api.http.refusal_timing import uniform_refusals
from api.http.resources.sessions.opened_sessions import opened_session
from api.http.resources.sessions.schemas import (
    Introspection,
    IntrospectionAnswer,
    Login,
    OAuthIntrospection,
    OAuthIntrospectionAnswer,
    OpenedSessionAnswer,
    OwnPassword,
    OwnSessionListAnswer,
)
from api.http.resources.sessions.tokens import session_token
from api.http.responses import json_response
from api.http.routing import RECORDED_POSITION, SESSION_TOKEN, Routes
from application.commands.api_keys import Scope
from application.sign_in.new_session import token_hash
from domain.access_decision import Decision, Question
from domain.roles import Resource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from flask import Response

    from application.command_context import CommandContext
    from application.commands.access_control.checks import CheckedSession
    from application.commands.resources import SubUserDetails
    from application.ports.sessions import Session

routes = Routes("sessions", "Sessions of sub-users")
OPENED, INTROSPECTION = OpenedSessionAnswer(), IntrospectionAnswer()
OWN_SESSIONS = OwnSessionListAnswer()
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
    password opens a restricted session, which can only set a new password and log out. With `step_up_required` the
    session has no permissions until it verifies one of the `second_factors`, or adds the first one if there is none.
    """
    if api_key().limits.accounts is not None:
        require_account(service().find_account_id(body["account_email"]))
    context = _context_with_device(body.pop("device_id"))
    with uniform_refusals() as on_verified:
        outcome = service().commands.sub_user_sessions.log_in(**body, context=context, on_verified=on_verified)
    return json_response(OPENED.to_json(opened_session(outcome.value)), HTTPStatus.CREATED, position=outcome.position)


@routes.route(
    "POST",
    "/v1/sessions/introspect",
    Scope.PORTAL,
    body=Introspection,
    response=(200, IntrospectionAnswer),
)
def introspect_session(body: dict[str, Any]) -> Response:
    """Check whether a session is active, and what it may do.

    `permissions` are those on everything that the level of the session is enough for. `step_up_required` says that the
    session, or a permission that it was asked about, needs a second factor that the session has not verified. The
    response has `allowed` if the request has `permission`, an answer for each of the `checks`, and the sub-user's name
    and e-mail if the request has `profile`. Each request counts as a use of the session.
    """
    questions = [_question(check) for check in body["checks"]]
    if body["permission"] is not None:
        questions.append(Question(body["permission"], _resource(body["resource"])))
    checked = _check_session(body["token"], questions)
    if checked is not None:
        count_decisions(checked.decisions)
    _require_known_permission(body["permission"], checked)
    holder = _find_holder(checked.session) if checked is not None and body["profile"] else None
    state: dict[str, Any] = {"active": False}
    decisions: Sequence[Decision | None] = [None] * len(questions)
    if checked is not None and (holder is not None or not body["profile"]):
        session, decisions = checked.session, checked.decisions
        state = {
            "active": True,
            "account_id": session.account_id,
            "sub_user_id": session.person_id,
            "permissions": checked.permissions,
            "must_change_password": session.assurance.is_restricted,
            "assurance_level": session.assurance,
            "step_up_required": checked.step_up_required,
            "expires_at": session.expires_at,
        }
        if holder is not None:
            state |= {"email": holder.email, "name": holder.name, "surname": holder.surname}
    if body["permission"] is not None:
        state["allowed"] = _is_allowed(decisions[-1])
    if body["checks"]:
        state["checks"] = [_answer(check, decision) for check, decision in zip(body["checks"], decisions, strict=False)]
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
    checked = _check_session(form["token"], [])
    holder = _find_holder(checked.session) if checked is not None else None
    if checked is None or holder is None:
        return json_response(OAUTH_INTROSPECTION.to_json({"active": False}))
    session = checked.session
    return json_response(
        OAUTH_INTROSPECTION.to_json(
            {
                "active": True,
                "sub": session.person_id,
                "scope": " ".join(checked.permissions),
                "username": holder.email,
                "name": f"{holder.name} {holder.surname}",
                "client_id": api_key().api_key_id,
                "exp": int(session.expires_at.timestamp()),
                "token_type": "session",
                "account_id": session.account_id,
                "must_change_password": session.assurance.is_restricted,
                "assurance_level": session.assurance,
                "step_up_required": checked.step_up_required,
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
    token, context = session_token(), _context_with_device(body["device_id"])
    with uniform_refusals() as on_verified:
        outcome = service().commands.sub_user_sessions.change_password(
            token, body["current_password"], body["new_password"], context, on_verified
        )
    return json_response(OPENED.to_json(opened_session(outcome.value)), position=outcome.position)


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
    outcome = service().commands.sub_user_sessions.log_out(session_token(), command_context())
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.route(
    "GET",
    "/v1/sessions",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND,),
    headers=(SESSION_TOKEN,),
    response=(200, OwnSessionListAnswer),
)
def list_own_sessions() -> Response:
    """List the active sessions of a sub-user for themselves, newest first.

    The session of the request is `current`.
    """
    sessions = service().commands.own_sub_user_sessions.list(session_token())
    return json_response(OWN_SESSIONS.to_json({"items": sessions, "next_cursor": None}))


@routes.route(
    "DELETE",
    "/v1/sessions/<uuid:session_id>",
    Scope.PORTAL,
    problems=(HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND),
    headers=(SESSION_TOKEN,),
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def end_own_session(session_id: UUID) -> Response:
    """End one of a sub-user's own sessions, for example on a lost device."""
    outcome = service().commands.own_sub_user_sessions.end(session_token(), session_id, command_context())
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.route(
    "DELETE",
    "/v1/sessions/others",
    Scope.PORTAL,
    problems=(HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND),
    headers=(SESSION_TOKEN,),
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def end_other_sessions() -> Response:
    """End all of a sub-user's own sessions but the one of the request."""
    outcome = service().commands.own_sub_user_sessions.end_others(session_token(), command_context())
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


def _context_with_device(device_id: str | None) -> CommandContext:
    """Return the context of this request, with the portal's id of the device, which is the same for every person."""
    return replace(command_context(), device_id_of=None if device_id is None else lambda _: device_id)


def _check_session(token: str, questions: Sequence[Question]) -> CheckedSession | None:
    """Return a sub-user's valid session, and record its use. None if the API key is not allowed for the account."""
    checked = service().commands.access.check_session(token_hash(token), questions)
    if checked is None or checked.session.belongs_to_owner or not api_key().allows_account(checked.session.account_id):
        return None
    return checked


def _require_known_permission(name: str | None, checked: CheckedSession | None) -> None:
    """Raise a problem unless the catalogue has a permission: a misspelled name is not a refusal."""
    if name is None:
        return
    catalogue = checked.catalogue if checked is not None else service().commands.catalogues.current()
    if name not in catalogue.by_name:
        raise unprocessable({"permission": [f"Must be one of: {', '.join(catalogue.by_name)}."]})


def _question(check: dict[str, Any]) -> Question:
    return Question(check["permission"], _resource(check["resource"]))


def _resource(resource: dict[str, str] | None) -> Resource | None:
    return Resource(resource["type"], resource["id"]) if resource is not None else None


def _answer(check: dict[str, Any], decision: Decision | None) -> dict[str, Any]:
    """Return the answer to a check. Without a session there is no decision."""
    grant = decision.grant if decision is not None else None
    missing = decision.missing if decision is not None else "session"
    because = {"missing": missing} if grant is None else {"role_id": grant.role_id, "grant_id": grant.grant_id}
    return {**check, "allowed": _is_allowed(decision), "because": because}


def _is_allowed(decision: Decision | None) -> bool:
    return decision is not None and decision.is_allowed


def _find_holder(session: Session) -> SubUserDetails | None:
    return service().commands.sub_user_sessions.find_holder(session.account_id, session.person_id)
