"""What a sub-user sees of themselves: who they are here, what they may do, and where they are logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.browsers import browser_name
from api.console.own_session import own_sessions
from api.console.pages import show, site
from api.console.visitors import SUB_USER
from domain.permissions import MAIN_ACCOUNT_ONLY, OPERATIONAL, Permission

if TYPE_CHECKING:
    from flask import Response


@site.page("/profile", to=SUB_USER)
def profile() -> Response:
    """Show who they are."""
    return show(
        "profile.html",
        active="profile",
        allowed=OPERATIONAL,
        withheld=[permission for permission in Permission if permission in MAIN_ACCOUNT_ONLY],
        sessions=own_sessions(),
        browser_name=browser_name,
    )
