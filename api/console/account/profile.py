"""Profile page of a sub-user: details, permissions and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.browsers import browser_name
from api.console.current_user import SUB_USER, visitor
from api.console.pages import blueprint, render_page, visitor_language
from api.console.sign_in.own_session import own_sessions
from api.http.authentication import service

if TYPE_CHECKING:
    from flask import Response


@blueprint.page("/profile", audiences=SUB_USER)
def profile() -> Response:
    """Show the sub-user's details, permissions and sessions."""
    commands = service().commands
    permissions = commands.catalogues.current().permissions
    allowed = commands.access.permissions_of_sub_user(visitor().sub_user.sub_user_id, None)
    labels = {permission.name: permission.labels.get(visitor_language(), permission.name) for permission in permissions}
    return render_page(
        "profile.html",
        active="profile",
        allowed=[labels[name] for name in allowed],
        withheld=[labels[permission.name] for permission in permissions if permission.reserved],
        sessions=own_sessions(),
        browser_name=browser_name,
    )
