"""Pages that delete a sub-user, after a confirmation that lists the consequences."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.flash import flash_message
from api.console.forms import Form
from api.console.pages import blueprint, redirect_to_url, render_page
from api.console.sub_users.form import find_sub_user, form_revision, list_url, message_values, return_url
from api.http.authentication import service
from domain.refusals import RevisionMismatch

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from application.commands.resources import SubUserDetails


@blueprint.page("/sub-users/<uuid:sub_user_id>/delete", audiences=OWNER)
def confirm_delete(sub_user_id: UUID) -> Response:
    """Show the confirmation."""
    return _confirmation(find_sub_user(sub_user_id))


@blueprint.page("/sub-users/<uuid:sub_user_id>/delete", audiences=OWNER, methods=("POST",))
def delete_sub_user(sub_user_id: UUID) -> Response:
    """Delete the sub-user if they are unchanged since the confirmation was shown."""
    sub_user = find_sub_user(sub_user_id)
    revision = form_revision(Form.from_request())
    try:
        service().commands.sub_users.delete(
            sub_user.account_id, sub_user_id, visitor().command_context, if_revisions={revision}
        )
    except RevisionMismatch:
        return _confirmation(find_sub_user(sub_user_id), changed=True, status=HTTPStatus.CONFLICT)
    flash_message("sub_users.deleted", message_values(sub_user))
    return redirect_to_url(list_url())


def _confirmation(sub_user: SubUserDetails, *, changed: bool = False, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return render_page(
        "sub_user_delete.html", status, active="sub_users", sub_user=sub_user, changed=changed, back=return_url()
    )
