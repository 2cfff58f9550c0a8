"""Profile page of a sub-user: details, permissions and roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.current_user import SUB_USER, visitor
from api.console.pages import blueprint, render_page
from api.console.roles.abilities import shown_abilities
from api.console.roles.grants import find_grants, shown_grants

if TYPE_CHECKING:
    from flask import Response

SHOWN_GRANTS = 50


@blueprint.page("/profile", audiences=SUB_USER)
def profile() -> Response:
    """Show the sub-user's details, permissions and roles. Reasons of roles are only for the owner."""
    sub_user_id = visitor().sub_user.sub_user_id
    grants = find_grants(sub_user_id)
    return render_page(
        "profile.html",
        active="profile",
        abilities=shown_abilities(sub_user_id, grants),
        grants=shown_grants(grants)[:SHOWN_GRANTS],
        grant_count=len(grants),
    )
