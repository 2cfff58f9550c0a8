"""Sending a sub-user new access data."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.pages import go, show, site
from api.console.sub_user_form import about, has_expired, stored
from api.console.visitors import OWNER, visitor
from api.http.doors import service
from domain.refusals import SubUserIsInactive

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from application.resources import SubUserDetails


@site.page("/sub-users/<uuid:sub_user_id>/send-again", to=OWNER)
def ask_before_send_again(sub_user_id: UUID) -> Response:
    """Ask whether it is meant, or say why it cannot be."""
    return _question(stored(sub_user_id))


@site.page("/sub-users/<uuid:sub_user_id>/send-again", to=OWNER, methods=("POST",))
def send_again(sub_user_id: UUID) -> Response:
    """Issue new access data, and have it mailed."""
    try:
        one = service().sub_users.send_credentials_again(visitor().account_id, sub_user_id, visitor().origin).value
    except SubUserIsInactive:
        return _question(stored(sub_user_id))
    told = "sent_again_but_expired" if has_expired(one, service().clock()) else "sent_again"
    return go("sub_users", told=f"sub_users.{told}", about=about(one))


def _question(one: SubUserDetails) -> Response:
    status = HTTPStatus.OK if one.status == "active" else HTTPStatus.CONFLICT
    return show("sub_user_send_again.html", status, active="sub_users", one=one)
