"""Routes of sub-users."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import command_context, service
from api.http.resources.roles.schemas import new_grant
from api.http.resources.sub_users.schemas import (
    CredentialsMail,
    NewSubUser,
    SessionListAnswer,
    SubUserAnswer,
    SubUserListAnswer,
    SubUserListQuery,
    SubUserPatch,
)
from api.http.responses import (
    IdempotentRequest,
    etag,
    if_match_revisions,
    json_response,
    required_position,
)
from api.http.routing import ETAG, IDEMPOTENCY_KEY, IF_MATCH, LOCATION, RECORDED_POSITION, REQUIRED_POSITION, Routes
from application.commands.api_keys import Scope
from application.commands.sub_users import SubUserChanges
from domain.sub_user import AccessStatus, CredentialsKind
from projections.sub_users.queries import SubUserFilter, parse_sort

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from application.commands.resources import SubUserDetails

routes = Routes("sub-users", "Sub-users of a main account")
SUB_USER = SubUserAnswer()
SUB_USER_LIST = SubUserListAnswer()
SESSION_LIST = SessionListAnswer()
COLLECTION_PATH = "/v1/accounts/<uuid:account_id>/sub-users"
ITEM_PATH = f"{COLLECTION_PATH}/<uuid:sub_user_id>"
NOT_FOUND = (HTTPStatus.NOT_FOUND,)
CHANGE_PROBLEMS = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
CONDITIONAL_CHANGE_PROBLEMS = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)


@routes.route(
    "POST",
    COLLECTION_PATH,
    Scope.PORTAL,
    problems=CHANGE_PROBLEMS,
    headers=(IDEMPOTENCY_KEY,),
    body=NewSubUser,
    response=(201, SubUserAnswer),
    response_headers=(LOCATION, ETAG, RECORDED_POSITION),
)
def create_sub_user(body: dict[str, Any], account_id: UUID) -> Response:
    """Create a sub-user.

    A new sub-user is inactive. Activate them to mail them their credentials. With `grants` they have exactly these
    roles, else the role Operator on everything.
    """
    grants = [new_grant(grant) for grant in body["grants"]] if body["grants"] is not None else None
    idempotent_request: IdempotentRequest[Any] = IdempotentRequest(
        SUB_USER, HTTPStatus.CREATED, lambda sub_user: {**_location_header(sub_user), "ETag": etag(sub_user.revision)}
    )
    also_write = idempotent_request.store_for(lambda sub_user: sub_user.sub_user_id)
    return idempotent_request.run(
        lambda: service().commands.sub_users.create(
            account_id, command_context(account_id), **{**body, "grants": grants}, also_write=also_write
        )
    )


@routes.route(
    "GET",
    COLLECTION_PATH,
    Scope.PORTAL,
    problems=NOT_FOUND,
    headers=(REQUIRED_POSITION,),
    query=SubUserListQuery,
    response=(200, SubUserListAnswer),
)
def list_sub_users(query: dict[str, Any], account_id: UUID) -> Response:
    """List sub-users.

    The list includes every change whose response was sent before this request.
    """
    sort, descending = parse_sort(query["sort"])
    access_status = AccessStatus(query["access_status"]) if query["access_status"] else None
    sub_user_filter = SubUserFilter(
        query["status"], query["visibility"], query["q"], sort, descending, access_status=access_status
    )
    page = service().queries.sub_users.list(
        account_id, sub_user_filter, query["limit"], query["cursor"], required_position()
    )
    return json_response(SUB_USER_LIST.to_json(page))


@routes.route(
    "GET",
    ITEM_PATH,
    Scope.PORTAL,
    problems=NOT_FOUND,
    headers=(REQUIRED_POSITION,),
    response=(200, SubUserAnswer),
    response_headers=(ETAG,),
)
def get_sub_user(account_id: UUID, sub_user_id: UUID) -> Response:
    """Get a sub-user."""
    sub_user = service().queries.sub_users.sub_user(account_id, sub_user_id, required_position())
    return json_response(SUB_USER.to_json(sub_user), headers={"ETag": etag(sub_user.revision)})


@routes.route(
    "PATCH",
    ITEM_PATH,
    Scope.PORTAL,
    problems=(*CONDITIONAL_CHANGE_PROBLEMS, HTTPStatus.TOO_MANY_REQUESTS),
    headers=(IF_MATCH,),
    body=SubUserPatch,
    response=(200, SubUserAnswer),
    response_headers=(ETAG, RECORDED_POSITION),
)
def change_sub_user(body: dict[str, Any], account_id: UUID, sub_user_id: UUID) -> Response:
    """Change a sub-user. All changes are applied, or none.

    All sessions of the sub-user end on `"status": "inactive"`, on a new password, on a new e-mail address, and when
    `access_expires_at` passes. Activation, and a new password or e-mail address of an active sub-user, mail new
    credentials: up to 5 times an hour for a sub-user and 50 times an hour for an account. Beyond that the whole request
    is refused with 429 `too-many-mails`. The former address is told of the change if credentials were mailed there.
    With `"credentials": "link"`, the mail has no password but a link that is good once, for seven days.
    """
    status, credentials = body.pop("status", None), body.pop("credentials", None)
    changes = SubUserChanges(
        **body,
        credentials_kind=CredentialsKind(credentials) if credentials is not None else None,
        active=None if status is None else status == "active",
        changes_expiry="access_expires_at" in body,
        if_revisions=if_match_revisions(),
    )
    outcome = service().commands.sub_users.change(account_id, sub_user_id, changes, command_context(account_id))
    headers = {"ETag": etag(outcome.value.revision)}
    return json_response(SUB_USER.to_json(outcome.value), position=outcome.position, headers=headers)


@routes.route(
    "DELETE",
    ITEM_PATH,
    Scope.PORTAL,
    problems=CONDITIONAL_CHANGE_PROBLEMS,
    headers=(IF_MATCH,),
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def delete_sub_user(account_id: UUID, sub_user_id: UUID) -> Response:
    """Delete a sub-user permanently.

    Their sessions end, their e-mail address becomes available, and their personal data becomes unreadable everywhere.
    Under a legal hold of the operator, recorded personal data becomes unreadable when the hold ends.
    """
    context = command_context(account_id)
    outcome = service().commands.sub_users.delete(account_id, sub_user_id, context, if_revisions=if_match_revisions())
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.route(
    "POST",
    f"{ITEM_PATH}/credentials-mail",
    Scope.PORTAL,
    problems=(*CHANGE_PROBLEMS, HTTPStatus.TOO_MANY_REQUESTS),
    headers=(IDEMPOTENCY_KEY,),
    body=CredentialsMail,
    is_body_required=False,
    response=(202, SubUserAnswer),
    response_headers=(ETAG, RECORDED_POSITION),
)
def send_credentials_mail(body: dict[str, Any], account_id: UUID, sub_user_id: UUID) -> Response:
    """Mail new credentials to an active sub-user.

    Their current password or invitation stops working, and their sessions end. The mail limits of changes apply.
    """
    credentials_kind = CredentialsKind(body["credentials"]) if body["credentials"] is not None else None
    idempotent_request: IdempotentRequest[Any] = IdempotentRequest(
        SUB_USER, HTTPStatus.ACCEPTED, lambda sub_user: {"ETag": etag(sub_user.revision)}
    )
    also_write = idempotent_request.store_for(lambda sub_user: sub_user.sub_user_id)
    context = command_context(account_id)
    return idempotent_request.run(
        lambda: service().commands.sub_users.send_credentials_again(
            account_id, sub_user_id, context, credentials_kind, also_write=also_write
        )
    )


@routes.route("GET", f"{ITEM_PATH}/sessions", Scope.PORTAL, problems=NOT_FOUND, response=(200, SessionListAnswer))
def list_sessions(account_id: UUID, sub_user_id: UUID) -> Response:
    """List the active sessions of a sub-user, newest first."""
    sessions = service().commands.sub_users.sessions(account_id, sub_user_id)
    return json_response(SESSION_LIST.to_json({"items": sessions, "next_cursor": None}))


@routes.route(
    "DELETE",
    f"{ITEM_PATH}/sessions",
    Scope.PORTAL,
    problems=CHANGE_PROBLEMS,
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def end_sessions(account_id: UUID, sub_user_id: UUID) -> Response:
    """End all sessions of a sub-user.

    The sub-user may log in again.
    """
    outcome = service().commands.sub_users.end_sessions(account_id, sub_user_id, command_context(account_id))
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.route(
    "DELETE",
    f"{ITEM_PATH}/sessions/<uuid:session_id>",
    Scope.PORTAL,
    problems=CHANGE_PROBLEMS,
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def end_session(account_id: UUID, sub_user_id: UUID, session_id: UUID) -> Response:
    """End one session of a sub-user.

    Their other sessions continue, and they may log in again.
    """
    context = command_context(account_id)
    outcome = service().commands.sub_users.end_session(account_id, sub_user_id, session_id, context)
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


def _location_header(sub_user: SubUserDetails) -> dict[str, str]:
    return {"Location": f"/v1/accounts/{sub_user.account_id}/sub-users/{sub_user.sub_user_id}"}
