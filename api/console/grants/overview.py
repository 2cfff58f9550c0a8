"""Page with all roles that a sub-user has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from api.console.current_user import OWNER
from api.console.pages import blueprint, render_page
from api.console.roles.grants import find_grants, shown_grants
from api.console.sub_users.form import find_sub_user
from api.presentation.full_name import full_name

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

PAGE_SIZE = 50


@blueprint.page("/sub-users/<uuid:sub_user_id>/roles", audiences=OWNER)
def grants(sub_user_id: UUID) -> Response:
    """Show one page of the roles that a sub-user has."""
    sub_user = find_sub_user(sub_user_id)
    all_grants = shown_grants(find_grants(sub_user_id))
    page_count = max(1, -(-len(all_grants) // PAGE_SIZE))
    number = min(max(1, request.args.get("page", 1, type=int)), page_count)
    return render_page(
        "grant_list.html",
        active="sub_users",
        sub_user=sub_user,
        person=full_name(sub_user),
        grants=all_grants[(number - 1) * PAGE_SIZE : number * PAGE_SIZE],
        number=number,
        page_count=page_count,
    )
