"""Deleting a sub-user, once the visitor has read whom it is about and what it means."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.forms import Form
from api.console.pages import go, show, site
from api.console.sub_user_form import about, form_revision, stored
from api.console.visitors import OWNER, visitor
from api.http.doors import service
from domain.refusals import RevisionMismatch

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from application.resources import SubUserDetails


@site.page("/sub-users/<uuid:sub_user_id>/delete", to=OWNER)
def ask_before_delete(sub_user_id: UUID) -> Response:
    """Ask whether it is meant."""
    return _question(stored(sub_user_id))


@site.page("/sub-users/<uuid:sub_user_id>/delete", to=OWNER, methods=("POST",))
def delete_sub_user(sub_user_id: UUID) -> Response:
    """Delete the sub-user, if they are still as the visitor saw them."""
    one = stored(sub_user_id)
    revision = form_revision(Form.sent())
    try:
        service().sub_users.delete(one.account_id, sub_user_id, visitor().origin, if_revision=revision)
    except RevisionMismatch:
        return _question(stored(sub_user_id), changed=True, status=HTTPStatus.CONFLICT)
    return go("sub_users", told="sub_users.deleted", about=about(one))


def _question(one: SubUserDetails, *, changed: bool = False, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return show("sub_user_delete.html", status, active="sub_users", one=one, changed=changed)
