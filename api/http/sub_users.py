"""Sub-users, as their main account manages them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import g, request

from api.http.answers import (
    Once,
    answer,
    demanded_position,
    demanded_revision,
    etag,
)
from api.http.doors import origin, service
from api.http.routes import ETAG, EVENT_POSITION, IDEMPOTENCY_KEY, IF_MATCH, LOCATION, POSITION, Routes
from api.http.schemas import (
    NewSubUser,
    SessionListAnswer,
    SubUserAnswer,
    SubUserListAnswer,
    SubUserListQuery,
    SubUserPatch,
)
from application.api_keys import ApiKey, Scope
from application.sub_users import SubUserChanges
from projections.sub_user_queries import SubUserFilter, sort_order

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from application.resources import SubUserDetails

routes = Routes("sub-users", "Sub-users of a main account")
SUB_USER = SubUserAnswer()
SUB_USER_LIST = SubUserListAnswer()
SESSION_LIST = SessionListAnswer()
ALL = "/v1/accounts/<uuid:account_id>/sub-users"
ONE = f"{ALL}/<uuid:sub_user_id>"
NOT_FOUND = (HTTPStatus.NOT_FOUND,)
CONFLICT = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
PRECONDITION = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)


@routes.door(
    "POST",
    ALL,
    Scope.PORTAL,
    problems=CONFLICT,
    headers=(IDEMPOTENCY_KEY,),
    body=NewSubUser,
    gives=(201, SubUserAnswer),
    tells=(LOCATION, ETAG, POSITION),
)
def create_sub_user(body: dict[str, Any], account_id: UUID) -> Response:
    """Let a collaborator in.

    They start inactive: activating them mails them their access data.
    """
    once: Once[Any] = Once(SUB_USER, HTTPStatus.CREATED, lambda one: {**_located(one), "ETag": etag(one.revision)})
    keep = once.keep(lambda one: one.sub_user_id)
    return once.run(lambda: service().sub_users.create(account_id, origin(account_id), **body, keep=keep))


@routes.door(
    "GET",
    ALL,
    Scope.PORTAL,
    problems=NOT_FOUND,
    headers=(EVENT_POSITION,),
    query=SubUserListQuery,
    gives=(200, SubUserListAnswer),
)
def list_sub_users(query: dict[str, Any], account_id: UUID) -> Response:
    """List sub-users.

    The list has everything that was answered before it was asked for.
    """
    sort, descending = sort_order(query["sort"])
    wanted = SubUserFilter(query["status"], query["visibility"], query["q"], sort, descending)
    page = service().sub_user_queries.list(account_id, wanted, query["limit"], query["cursor"], demanded_position())
    return answer(SUB_USER_LIST.written(page))


@routes.door(
    "GET",
    ONE,
    Scope.PORTAL,
    problems=NOT_FOUND,
    headers=(EVENT_POSITION,),
    gives=(200, SubUserAnswer),
    tells=(ETAG,),
)
def show_sub_user(account_id: UUID, sub_user_id: UUID) -> Response:
    """Show a sub-user."""
    one = service().sub_user_queries.sub_user(account_id, sub_user_id, demanded_position())
    return answer(SUB_USER.written(one), headers={"ETag": etag(one.revision)})


def _key_and_sub_user(secret: str) -> ApiKey | None:
    """Find the API key, and in the same read what a change of the sub-user begins with."""
    path = request.view_args or {}
    account_id, sub_user_id = path["account_id"], path["sub_user_id"]
    behind = service()
    known = behind.main_accounts.at_hand(account_id)
    version = known.version if known is not None else None
    found, g.ahead = behind.ahead.find(secret, account_id, sub_user_id, version)
    return found


@routes.door(
    "PATCH",
    ONE,
    Scope.PORTAL,
    problems=PRECONDITION,
    headers=(IF_MATCH,),
    body=SubUserPatch,
    gives=(200, SubUserAnswer),
    tells=(ETAG, POSITION),
    finds_key=_key_and_sub_user,
)
def change_sub_user(body: dict[str, Any], account_id: UUID, sub_user_id: UUID) -> Response:
    """Change a sub-user: several things at once, all or nothing.

    With `"active": false`, with a new password, and when `access_expires_at` passes, every session of theirs ends at
    once. Activating them mails them access data.
    """
    changes = SubUserChanges(**body, expiry_given="access_expires_at" in body, if_revision=demanded_revision())
    outcome = service().sub_users.change(account_id, sub_user_id, changes, origin(account_id), g.ahead)
    headers = {"ETag": etag(outcome.value.revision)}
    return answer(SUB_USER.written(outcome.value), position=outcome.position, headers=headers)


@routes.door(
    "DELETE",
    ONE,
    Scope.PORTAL,
    problems=PRECONDITION,
    headers=(IF_MATCH,),
    gives=(204, None),
    tells=(POSITION,),
)
def delete_sub_user(account_id: UUID, sub_user_id: UUID) -> Response:
    """Delete a sub-user for good.

    Their sessions end, their e-mail is free again, and their personal data is unreadable from here on, everywhere; what
    is recorded, where the operator has it held for a while, at the end of that.
    """
    by = origin(account_id)
    outcome = service().sub_users.delete(account_id, sub_user_id, by, if_revision=demanded_revision())
    return answer(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.door(
    "POST",
    f"{ONE}/credentials-mail",
    Scope.PORTAL,
    problems=(*CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    headers=(IDEMPOTENCY_KEY,),
    gives=(202, SubUserAnswer),
    tells=(ETAG, POSITION),
)
def send_credentials_again(account_id: UUID, sub_user_id: UUID) -> Response:
    """Mail new access data to an active sub-user.

    Their password so far is good no more, and their sessions end.
    """
    once: Once[Any] = Once(SUB_USER, HTTPStatus.ACCEPTED, lambda one: {"ETag": etag(one.revision)})
    keep = once.keep(lambda one: one.sub_user_id)
    by = origin(account_id)
    return once.run(lambda: service().sub_users.send_credentials_again(account_id, sub_user_id, by, keep=keep))


@routes.door("GET", f"{ONE}/sessions", Scope.PORTAL, problems=NOT_FOUND, gives=(200, SessionListAnswer))
def list_sessions(account_id: UUID, sub_user_id: UUID) -> Response:
    """List a sub-user's sessions, newest first."""
    rows = service().sub_users.sessions(account_id, sub_user_id)
    return answer(SESSION_LIST.written({"items": rows, "next_cursor": None}))


@routes.door("DELETE", f"{ONE}/sessions", Scope.PORTAL, problems=CONFLICT, gives=(204, None), tells=(POSITION,))
def end_sessions(account_id: UUID, sub_user_id: UUID) -> Response:
    """End every session of a sub-user, who may log in again."""
    outcome = service().sub_users.end_sessions(account_id, sub_user_id, origin(account_id))
    return answer(None, HTTPStatus.NO_CONTENT, position=outcome.position)


def _located(one: SubUserDetails) -> dict[str, str]:
    return {"Location": f"/v1/accounts/{one.account_id}/sub-users/{one.sub_user_id}"}
