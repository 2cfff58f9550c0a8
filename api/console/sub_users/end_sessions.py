"""Ending all sessions of a sub-user, after a page that asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.pages import blueprint, redirect_to, render_page
from api.console.sub_users.form import find_sub_user, message_values
from api.http.authentication import service
from api.presentation.full_name import full_name

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response


@blueprint.page("/sub-users/<uuid:sub_user_id>/end-sessions", audiences=OWNER)
def confirm_end_sessions(sub_user_id: UUID) -> Response:
    """Ask, and say what happens."""
    sub_user = find_sub_user(sub_user_id)
    return render_page("sub_user_end_sessions.html", active="sub_users", sub_user=sub_user, person=full_name(sub_user))


@blueprint.page("/sub-users/<uuid:sub_user_id>/end-sessions", audiences=OWNER, methods=("POST",))
def end_sessions(sub_user_id: UUID) -> Response:
    """End all sessions of a sub-user. They can log in again."""
    sub_user = find_sub_user(sub_user_id)
    service().commands.sub_users.end_sessions(sub_user.account_id, sub_user_id, visitor().command_context)
    return redirect_to(
        "sub_user", message="sub_user.sessions_ended", message_values=message_values(sub_user), sub_user_id=sub_user_id
    )
