"""Downloads of the list of sub-users for people's spreadsheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.monitoring.export import spreadsheet_response
from api.console.pages import blueprint, t, visitor_time_zone
from api.console.sub_users.overview import list_filter, list_query
from api.console.sub_users.status import shown_status
from api.http.authentication import service
from api.http.downloads import reserve_download
from api.http.resources.accounts.schemas import MAX_SUB_USER_LIMIT
from api.presentation import times

if TYPE_CHECKING:
    from datetime import datetime

    from flask import Response

    from api.presentation.spreadsheets.files import Cell
    from application.commands.resources import SubUserDetails

TIMES = ("last_login", "expires", "created")


@blueprint.page("/sub-users/export.csv", audiences=OWNER)
def sub_users_csv() -> Response:
    """Download the list as CSV for spreadsheets in the visitor's language."""
    return _export("csv")


@blueprint.page("/sub-users/export.xlsx", audiences=OWNER)
def sub_users_xlsx() -> Response:
    """Download the list as a workbook."""
    return _export("xlsx")


def _export(file_format: str) -> Response:
    account_id, sub_user_filter = visitor().account_id, list_filter(list_query())
    reserve_download(account_id)
    page = service().queries.sub_users.list(account_id, sub_user_filter, MAX_SUB_USER_LIMIT, None)
    header = [
        t("sub_users.export.surname"),
        t("sub_users.export.name"),
        *(t(f"sub_users.{column}") for column in ("email", "status", "visibility")),
        *(f"{t(f'sub_users.{column}')} ({visitor_time_zone().key})" for column in TIMES),
    ]
    rows = [_cells(sub_user) for sub_user in page.items]  # now: the texts of a stream have no request
    return spreadsheet_response(file_format, t("sub_users.export.file_name"), t("sub_users.export.sheet"), header, rows)


def _cells(sub_user: SubUserDetails) -> tuple[Cell, ...]:
    return (
        sub_user.surname,
        sub_user.name,
        sub_user.email,
        shown_status(sub_user).label,
        t("sub_users.visible" if sub_user.visible else "sub_users.hidden"),
        _local(sub_user.last_login_at),
        _local(sub_user.access_expires_at),
        _local(sub_user.created_at),
    )


def _local(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return times.to_zone(moment, visitor_time_zone()).replace(tzinfo=None, microsecond=0)
