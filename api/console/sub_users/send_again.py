"""Pages that issue and mail new access data, after a confirmation."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, render_page
from api.console.retry_after import wait_for
from api.console.sub_users.form import find_sub_user, has_expired, message_values, redirect_back, return_url
from api.http.authentication import service
from domain.refusals import AccessExpired, SubUserIsInactive, TooManyMails
from domain.sub_user import CredentialsKind

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from api.console.retry_after import Wait
    from application.commands.resources import SubUserDetails


@blueprint.page("/sub-users/<uuid:sub_user_id>/send-again", audiences=OWNER)
def confirm_send_again(sub_user_id: UUID) -> Response:
    """Show the confirmation, or why the sub-user cannot get access data now."""
    return _confirmation(find_sub_user(sub_user_id))


@blueprint.page("/sub-users/<uuid:sub_user_id>/send-again", audiences=OWNER, methods=("POST",))
def send_again(sub_user_id: UUID) -> Response:
    """Issue and mail new access data: a temporary password or a link, by default the same as the last time."""
    kind = Form.from_request()["credentials"]
    try:
        sub_user = (
            service()
            .commands.sub_users.send_credentials_again(
                visitor().account_id,
                sub_user_id,
                visitor().command_context,
                CredentialsKind(kind) if kind in set(CredentialsKind) else None,
            )
            .value
        )
    except (SubUserIsInactive, AccessExpired):
        return _confirmation(find_sub_user(sub_user_id))
    except TooManyMails as error:
        return _confirmation(find_sub_user(sub_user_id), wait_for(error))
    return redirect_back("sub_users.sent_again", message_values(sub_user))


def _confirmation(sub_user: SubUserDetails, wait: Wait | None = None) -> Response:
    expired = has_expired(sub_user, service().clock())
    status = HTTPStatus.OK if sub_user.status == "active" and not expired else HTTPStatus.CONFLICT
    status = wait.status if wait else status
    response = render_page(
        "sub_user_send_again.html",
        status,
        active="sub_users",
        sub_user=sub_user,
        expired=expired,
        wait=wait,
        back=return_url(),
    )
    response.headers.update(wait.headers if wait else {})
    return response
