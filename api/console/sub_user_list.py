"""The list of sub-users: what an owner sees first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request, url_for
from marshmallow import EXCLUDE, ValidationError

from api.console.pages import show, site
from api.console.sub_user_form import has_expired
from api.console.visitors import OWNER, visitor
from api.http.doors import service
from api.http.problems import unprocessable
from api.http.schemas import LARGEST_PAGE, USUAL_PAGE, SubUserListQuery
from projections.sub_user_queries import Sort, SubUserFilter, sort_order

if TYPE_CHECKING:
    from flask import Response

QUERY = SubUserListQuery(unknown=EXCLUDE)

USUALLY: dict[str, Any] = {"q": "", "status": None, "visibility": "all", "sort": Sort.NAME.value, "limit": USUAL_PAGE}
"""What an address need not say."""

SORTS = tuple(f"{minus}{sort}" for sort in Sort for minus in ("", "-"))


@site.page("/sub-users", to=OWNER)
def sub_users() -> Response:
    """Show a page of the list."""
    asked = _asked()
    sort, descending = sort_order(asked["sort"])
    wanted = SubUserFilter(asked["status"], asked["visibility"], asked["q"], sort, descending)
    page = service().sub_user_queries.list(visitor().account_id, wanted, asked["limit"], asked["cursor"])
    now = service().clock()
    return show(
        "sub_user_list.html",
        active="sub_users",
        page=page,
        asked=asked,
        sorts=SORTS,
        sizes=sorted({USUAL_PAGE, LARGEST_PAGE, asked["limit"]}),
        has_expired=lambda one: has_expired(one, now),
        address=lambda **instead: _address(asked, **instead),
    )


def _asked() -> dict[str, Any]:
    """Return what the address asks for. An empty choice is none, as a form without scripts sends it."""
    given = {name: value for name, value in request.args.items() if value}
    try:
        asked: dict[str, Any] = QUERY.load({"sort": USUALLY["sort"], **given})
    except ValidationError as error:
        raise unprocessable(error.normalized_messages()) from None  # type: ignore[no-untyped-call]  # not typed there
    return asked


def _address(asked: dict[str, Any], **instead: Any) -> str:
    """Return the address of the same list with something else asked for, from its first page on."""
    every = {**asked, "cursor": None, **instead}
    return url_for("console.sub_users", **{name: every[name] for name in every if every[name] != USUALLY.get(name)})
