"""Whom a sub-user works with: the visible sub-users of their account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from api.console.pages import show, site
from api.console.visitors import SUB_USER, visitor
from api.http.doors import service
from projections.sub_user_queries import Sort, SubUserFilter

if TYPE_CHECKING:
    from flask import Response

VISIBLE = SubUserFilter(visibility="visible", sort=Sort.NAME)
ON_A_PAGE = 50


@site.page("/colleagues", to=SUB_USER)
def colleagues() -> Response:
    """List them by name. Hidden ones are in no list that a sub-user sees."""
    cursor = request.args.get("cursor") or None
    page = service().sub_user_queries.list(visitor().account_id, VISIBLE, ON_A_PAGE, cursor)
    return show("colleagues.html", active="colleagues", page=page, is_first=cursor is None)
