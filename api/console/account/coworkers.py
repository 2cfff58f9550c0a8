"""Page that lists a sub-user's coworkers: the visible sub-users of their account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from api.console.current_user import SUB_USER, visitor
from api.console.pages import blueprint, render_page
from api.http.authentication import service
from projections.sub_users.queries import Sort, SubUserFilter

if TYPE_CHECKING:
    from flask import Response

VISIBLE_SUB_USERS = SubUserFilter(visibility="visible", sort=Sort.NAME)
PAGE_SIZE = 50


@blueprint.page("/colleagues", audiences=SUB_USER)
def colleagues() -> Response:
    """List coworkers by name. Sub-users never see hidden sub-users."""
    cursor = request.args.get("cursor") or None
    page = service().queries.sub_users.list(visitor().account_id, VISIBLE_SUB_USERS, PAGE_SIZE, cursor)
    return render_page("colleagues.html", active="colleagues", page=page, is_first=cursor is None)
