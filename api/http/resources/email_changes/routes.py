"""Routes of the links that are mailed when an account's e-mail changes, for portals with pages of their own."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import api_key, command_context, require_account, service
from api.http.resources.email_changes.schemas import LinkToken
from api.http.responses import json_response
from api.http.routing import RECORDED_POSITION, Routes
from application.commands.api_keys import Scope
from domain.mails import LinkPurpose

if TYPE_CHECKING:
    from flask import Response

routes = Routes("email-changes", "Changes of an account's e-mail")


@routes.route(
    "POST",
    "/v1/email-changes/confirm",
    Scope.PORTAL,
    problems=(HTTPStatus.GONE, HTTPStatus.CONFLICT),
    body=LinkToken,
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def confirm_email_change(body: dict[str, Any]) -> Response:
    """Confirm the new e-mail of an account with the link that was mailed there.

    From now on, the owner and the sub-users log in with it. The former e-mail still works for 7 days, and is mailed a
    link that undoes the change. Active sub-users are mailed the new e-mail.
    """
    _require_account_of_link(body["token"], LinkPurpose.EMAIL_CONFIRMATION)
    outcome = service().commands.account_email_changes.confirm(body["token"], command_context())
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


@routes.route(
    "POST",
    "/v1/email-changes/undo",
    Scope.PORTAL,
    problems=(HTTPStatus.GONE,),
    body=LinkToken,
    response=(204, None),
    response_headers=(RECORDED_POSITION,),
)
def undo_email_change(body: dict[str, Any]) -> Response:
    """Restore a former e-mail of an account with the link that was mailed there.

    The owner's sessions end, and the e-mails that came after it do not work any more.
    """
    _require_account_of_link(body["token"], LinkPurpose.EMAIL_UNDO)
    outcome = service().commands.account_email_changes.undo(body["token"], command_context())
    return json_response(None, HTTPStatus.NO_CONTENT, position=outcome.position)


def _require_account_of_link(token: str, purpose: LinkPurpose) -> None:
    """Raise a problem if the API key is not allowed for the account of a link."""
    if api_key().limits.accounts is not None:
        require_account(service().commands.account_email_changes.find_account_id(token, purpose))
