"""Pages that take a role away from a sub-user, after a confirmation."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to, render_page
from api.console.roles.grants import find_grants, shown_grants
from api.console.sub_users.form import find_sub_user, message_values
from api.http.authentication import service
from api.http.resources.roles.schemas import NewRoleGrant
from api.presentation.full_name import full_name
from domain.refusals import GrantNotFound

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

REASON = NewRoleGrant(only=("reason",))


@blueprint.page("/sub-users/<uuid:sub_user_id>/roles/<uuid:grant_id>/revoke", audiences=OWNER)
def confirm_revoke(sub_user_id: UUID, grant_id: UUID) -> Response:
    """Show the confirmation."""
    return _confirmation(Form(), sub_user_id, grant_id)


@blueprint.page("/sub-users/<uuid:sub_user_id>/roles/<uuid:grant_id>/revoke", audiences=OWNER, methods=("POST",))
def revoke(sub_user_id: UUID, grant_id: UUID) -> Response:
    """Take the role away. Checks of access follow at once."""
    form = Form.from_request()
    sub_user = find_sub_user(sub_user_id)
    reason = form.load_with(REASON, {"reason": form["reason"] or None}).get("reason")
    if form.errors:
        return _confirmation(form, sub_user_id, grant_id, HTTPStatus.UNPROCESSABLE_ENTITY)
    context = replace(visitor().command_context, reason=reason)
    service().commands.grants.revoke(sub_user.account_id, sub_user_id, grant_id, context)
    return redirect_to(
        "sub_user", message="grants.revoked", message_values=message_values(sub_user), sub_user_id=sub_user_id
    )


def _confirmation(form: Form, sub_user_id: UUID, grant_id: UUID, status: HTTPStatus = HTTPStatus.OK) -> Response:
    sub_user = find_sub_user(sub_user_id)
    grants = shown_grants(find_grants(sub_user_id))
    grant = next((grant for grant in grants if grant.grant_id == grant_id), None)
    if grant is None:
        raise GrantNotFound
    is_last = [other.grant_id for other in grants if not other.has_expired] == [grant_id]
    return render_page(
        "grant_revoke.html",
        status,
        active="sub_users",
        form=form,
        sub_user=sub_user,
        person=full_name(sub_user),
        grant=grant,
        is_last=is_last,
    )
