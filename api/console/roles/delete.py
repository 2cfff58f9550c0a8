"""Pages that delete a role, after a confirmation. A role that somebody has cannot be deleted."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.pages import blueprint, redirect_to, render_page
from api.console.roles.editor import own_role
from api.console.roles.holders import holders_of
from api.http.authentication import service
from domain.refusals import RoleInUse

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response


@blueprint.page("/roles/<uuid:role_id>/delete", audiences=OWNER)
def confirm_delete_role(role_id: UUID) -> Response:
    """Show the confirmation, or who has the role."""
    return _confirmation(role_id)


@blueprint.page("/roles/<uuid:role_id>/delete", audiences=OWNER, methods=("POST",))
def delete_role(role_id: UUID) -> Response:
    """Delete the role, unless somebody has it."""
    role = own_role(role_id)
    try:
        service().commands.roles.delete(visitor().account_id, role_id, visitor().command_context)
    except RoleInUse:
        return _confirmation(role_id)
    return redirect_to("roles", message="roles.deleted", message_values={"role": role.name})


def _confirmation(role_id: UUID) -> Response:
    role = own_role(role_id)
    status = HTTPStatus.CONFLICT if role.holders else HTTPStatus.OK
    return render_page("role_delete.html", status, active="roles", role=role, holders=holders_of(role))
