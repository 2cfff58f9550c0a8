"""Activating and deactivating a sub-user in one step, from the list and from their page."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import request

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, render_page
from api.console.retry_after import wait_for
from api.console.sub_users.form import (
    find_sub_user,
    has_expired,
    message_values,
    redirect_back,
    return_url,
)
from api.http.authentication import service
from api.presentation.full_name import full_name
from application.commands.sub_users import SubUserChanges
from domain.refusals import AccessExpired, TooManyMails

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from api.console.retry_after import Wait
    from application.commands.resources import SubUserDetails


@blueprint.page("/sub-users/<uuid:sub_user_id>/activate", audiences=OWNER)
def confirm_activation(sub_user_id: UUID) -> Response:
    """Show what the activation does, or why it is not possible."""
    return _activation(find_sub_user(sub_user_id))


@blueprint.page("/sub-users/<uuid:sub_user_id>/activate", audiences=OWNER, methods=("POST",))
def activate(sub_user_id: UUID) -> Response:
    """Activate the sub-user, which mails them access data."""
    sub_user = find_sub_user(sub_user_id)
    if sub_user.status == "active":
        return redirect_back("sub_users.unchanged")
    try:
        _set_active(sub_user, active=True)
    except AccessExpired:
        return _activation(sub_user)
    except TooManyMails as error:
        return _activation(sub_user, wait_for(error))
    return redirect_back("sub_users.activated", message_values(sub_user))


@blueprint.page("/sub-users/<uuid:sub_user_id>/deactivate", audiences=OWNER)
def confirm_deactivation(sub_user_id: UUID) -> Response:
    """Show what the deactivation does."""
    return _deactivation(find_sub_user(sub_user_id))


@blueprint.page("/sub-users/<uuid:sub_user_id>/deactivate", audiences=OWNER, methods=("POST",))
def deactivate(sub_user_id: UUID) -> Response:
    """Deactivate the sub-user once the visitor has confirmed it.

    No other change of theirs prevents it: someone who leaves must not keep access by changing their password.
    """
    sub_user = find_sub_user(sub_user_id)
    if sub_user.status != "active":
        return redirect_back("sub_users.unchanged")
    if not Form.from_request().is_checked("confirmed"):
        return _deactivation(sub_user)
    _set_active(sub_user, active=False)
    return redirect_back("sub_users.deactivated", message_values(sub_user))


def _set_active(sub_user: SubUserDetails, *, active: bool) -> None:
    service().commands.sub_users.change(
        sub_user.account_id, sub_user.sub_user_id, SubUserChanges(active=active), visitor().command_context
    )


def _activation(sub_user: SubUserDetails, wait: Wait | None = None) -> Response:
    expired = has_expired(sub_user, service().clock())
    status = wait.status if wait else HTTPStatus.CONFLICT if expired else HTTPStatus.OK
    response = render_page(
        "sub_user_activate.html",
        status,
        active="sub_users",
        sub_user=sub_user,
        person=full_name(sub_user),
        expired=expired,
        wait=wait,
        back=return_url(),
    )
    response.headers.update(wait.headers if wait else {})
    if "HX-Request" in request.headers:  # the row's switch: htmx ignores refusals, and would replace only the row
        response.status_code = HTTPStatus.OK
        response.headers.update({"HX-Retarget": "#main", "HX-Reselect": "#main > *", "HX-Reswap": "innerHTML"})
    return response


def _deactivation(sub_user: SubUserDetails) -> Response:
    return render_page(
        "sub_user_deactivate.html",
        active="sub_users",
        sub_user=sub_user,
        person=full_name(sub_user),
        session_count=len(service().commands.sub_users.sessions(sub_user.account_id, sub_user.sub_user_id)),
        back=return_url(),
    )
