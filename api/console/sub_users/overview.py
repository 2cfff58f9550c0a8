"""The list of sub-users, an owner's start page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import request, url_for
from marshmallow import EXCLUDE, ValidationError, fields, validate

from api.console.current_user import OWNER, visitor
from api.console.pages import blueprint, render_page
from api.console.sub_users.form import has_expired_password
from api.console.sub_users.status import shown_status, status_tabs
from api.http.authentication import service
from api.http.problems import unprocessable
from api.http.resources.sub_users.schemas import SubUserListQuery
from api.http.schemas import DEFAULT_PAGE_SIZE
from domain.sub_user import AccessStatus
from projections.sub_users.queries import Sort, SubUserFilter, parse_sort

if TYPE_CHECKING:
    from flask import Response


class OverviewQuery(SubUserListQuery):
    """Filters and order of the page: those of the HTTP API, with the access status in place of the status."""

    status = fields.String(validate=validate.OneOf(list(AccessStatus)), load_default=None)


QUERY = OverviewQuery(unknown=EXCLUDE)

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
    query = list_query()
    shown = list_filter(query)
    status = shown.access_status
    queries, account_id = service().queries.sub_users, visitor().account_id
    page = queries.list(account_id, shown, query["limit"], query["cursor"])
    counts = queries.count_by_access_status(account_id, replace(shown, access_status=None))
    now = service().clock()
    return render_page(
        "sub_user_list.html",
        active="sub_users",
        page=page,
        query=query,
        tabs=status_tabs(counts, status, lambda **changes: _list_url(query, **changes)),
        total=counts[status] if status else sum(counts.values()),
        sorts=SORTS,
        shown_status=shown_status,
        has_expired_password=lambda sub_user: has_expired_password(sub_user, now),
        list_url=lambda **changes: _list_url(query, **changes),
        export_url=lambda endpoint: _list_url(query, endpoint, limit=DEFAULT_PAGE_SIZE),
        back=request.full_path if request.query_string else None,
    )


def list_filter(query: dict[str, Any]) -> SubUserFilter:
    """Return the filter of a validated query."""
    sort, descending = parse_sort(query["sort"])
    status = AccessStatus(query["status"]) if query["status"] else None
    return SubUserFilter(
        visibility=query["visibility"], q=query["q"], sort=sort, descending=descending, access_status=status
    )


def list_query() -> dict[str, Any]:
    """Return the validated query. Ignore empty parameters: without scripts, the form sends them. Raises `Problem`."""
    parameters = {name: value for name, value in request.args.items() if value}
    try:
        query: dict[str, Any] = QUERY.load({"sort": DEFAULTS["sort"], **parameters})
    except ValidationError as error:
        raise unprocessable(error.normalized_messages()) from None  # type: ignore[no-untyped-call]  # marshmallow does not type it
    return query


def _list_url(query: dict[str, Any], endpoint: str = "console.sub_users", **changes: Any) -> str:
    """Return the URL of the first page of the same list, or of its export, with these parameters changed."""
    values = {**query, "cursor": None, **changes}
    return url_for(endpoint, **{name: values[name] for name in values if values[name] != DEFAULTS.get(name)})
