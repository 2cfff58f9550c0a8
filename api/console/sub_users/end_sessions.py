"""Page that asks before all sessions of a sub-user end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.current_user import OWNER
from api.console.pages import blueprint, render_page
from api.console.sub_users.form import find_sub_user
from api.presentation.full_name import full_name

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response


@blueprint.page("/sub-users/<uuid:sub_user_id>/end-sessions", audiences=OWNER)
def confirm_end_sessions(sub_user_id: UUID) -> Response:
    """Ask, and say what happens."""
    sub_user = find_sub_user(sub_user_id)
    return render_page("sub_user_end_sessions.html", active="sub_users", sub_user=sub_user, person=full_name(sub_user))
