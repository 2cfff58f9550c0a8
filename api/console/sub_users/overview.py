"""The list of sub-users, an owner's start page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request, url_for
from marshmallow import EXCLUDE, ValidationError

from api.console.current_user import OWNER, visitor
from api.console.pages import blueprint, render_page
from api.console.sub_users.form import has_expired, has_expired_password
from api.http.authentication import service
from api.http.problems import unprocessable
from api.http.resources.sub_users.schemas import SubUserListQuery
from api.http.schemas import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from projections.sub_users.queries import Sort, SubUserFilter, parse_sort

if TYPE_CHECKING:
    from flask import Response

QUERY = SubUserListQuery(unknown=EXCLUDE)

DEFAULTS: dict[str, Any] = {
    "q": "",
    "status": None,
    "visibility": "all",
    "sort": Sort.NAME.value,
    "limit": DEFAULT_PAGE_SIZE,
}
"""Query parameters that `_list_url` leaves out because they have their default value."""

SORTS = tuple(f"{minus}{sort}" for sort in Sort for minus in ("", "-"))


@blueprint.page("/sub-users", audiences=OWNER)
def sub_users() -> Response:
    """Show one page of the list."""
    query = _list_query()
    sort, descending = parse_sort(query["sort"])
    sub_user_filter = SubUserFilter(query["status"], query["visibility"], query["q"], sort, descending)
    page = service().queries.sub_users.list(visitor().account_id, sub_user_filter, query["limit"], query["cursor"])
    now = service().clock()
    return render_page(
        "sub_user_list.html",
        active="sub_users",
        page=page,
        query=query,
        sorts=SORTS,
        sizes=sorted({DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, query["limit"]}),
        has_expired=lambda sub_user: has_expired(sub_user, now),
        has_expired_password=lambda sub_user: has_expired_password(sub_user, now),
        list_url=lambda **changes: _list_url(query, **changes),
    )


def _list_query() -> dict[str, Any]:
    """Return the validated query. Ignore empty parameters: without scripts, the form sends them. Raises `Problem`."""
    parameters = {name: value for name, value in request.args.items() if value}
    try:
        query: dict[str, Any] = QUERY.load({"sort": DEFAULTS["sort"], **parameters})
    except ValidationError as error:
        raise unprocessable(error.normalized_messages()) from None  # type: ignore[no-untyped-call]  # marshmallow does not type it
    return query


def _list_url(query: dict[str, Any], **changes: Any) -> str:
    """Return the URL of the first page of the same list, with these parameters changed."""
    values = {**query, "cursor": None, **changes}
    return url_for("console.sub_users", **{name: values[name] for name in values if values[name] != DEFAULTS.get(name)})
