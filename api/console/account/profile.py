"""Profile page of a sub-user: details, permissions and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.browsers import browser_name
from api.console.current_user import SUB_USER
from api.console.pages import blueprint, render_page
from api.console.sign_in.own_session import own_sessions
from domain.permission_catalog import MAIN_ACCOUNT_ONLY, OPERATIONAL, Permission

if TYPE_CHECKING:
    from flask import Response


@blueprint.page("/profile", audiences=SUB_USER)
def profile() -> Response:
    """Show the sub-user's details, permissions and sessions."""
    return render_page(
        "profile.html",
        active="profile",
        allowed=OPERATIONAL,
        withheld=[permission for permission in Permission if permission in MAIN_ACCOUNT_ONLY],
        sessions=own_sessions(),
        browser_name=browser_name,
    )
