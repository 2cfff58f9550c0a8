"""Downloads of the activity page: the matching events for people's spreadsheets, or with the codes of the API."""

from __future__ import annotations

import re
import tempfile
from functools import partial
from typing import TYPE_CHECKING

from api.console.current_user import OWNER, session_check, visitor
from api.console.monitoring.filter import parse_filter
from api.console.monitoring.monitoring_page import FilterChoices, page_with_errors
from api.console.monitoring.page_event_descriptions import SubUserNames
from api.console.pages import blueprint, t, visitor_language, visitor_time_zone
from api.http.authentication import service
from api.http.downloads import AccessEnded, file_response, reserve_download
from api.http.resources.audit_log.csv_rows import csv_response
from api.presentation.event_descriptions import EventDescriptions
from api.presentation.spreadsheets.audit_log_sheet import AuditLogSheet
from api.presentation.spreadsheets.files import CSV, XLSX, csv_blocks, write_xlsx
from application.commands.audit_access import AuditAccess
from projections.audit_log.search_text import search_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from flask import Response

    from api.presentation.spreadsheets.files import Cell

FILE_NAME_SEPARATORS = re.compile(r"[^a-z0-9]+")
MAX_COMPANY_LENGTH = 40

PIECE_BYTES = 8192
ROWS_PER_CHECK = 1000
"""Rows of an `.xlsx` file between two checks of the session."""


@blueprint.page("/monitoring/export.csv", audiences=OWNER)
def monitoring_csv() -> Response:
    """Download all matching events as CSV for spreadsheets in the visitor's language."""
    return _export("csv")


@blueprint.page("/monitoring/export.xlsx", audiences=OWNER)
def monitoring_xlsx() -> Response:
    """Download all matching events as a workbook."""
    return _export("xlsx")


@blueprint.page("/monitoring/export-codes.csv", audiences=OWNER)
def monitoring_codes() -> Response:
    """Download all matching events as CSV with the names and values of the API."""
    return _export("codes")


def spreadsheet_response(
    file_format: str, name: str, title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> Response:
    """Return rows as a CSV file or as a workbook. The request must have reserved a download slot."""
    company = FILE_NAME_SEPARATORS.sub("-", search_text(visitor().account.company_name)).strip("-")[:MAX_COMPANY_LENGTH]
    day = service().clock().astimezone(visitor_time_zone()).date()
    file_name = "-".join(part for part in (company, name, f"{day}.{file_format}") if part)
    is_allowed = session_check()
    if file_format == "csv":
        return file_response(csv_blocks(header, rows, visitor_language()), file_name, CSV, is_allowed)
    pieces = _workbook_pieces(title, header, _while_allowed(rows, is_allowed), visitor_language())
    return file_response(pieces, file_name, XLSX, is_allowed)


def _export(file_format: str) -> Response:
    choices = FilterChoices.of_account()
    form, monitoring_filter = parse_filter(choices.sub_users, choices.activity_types)
    if monitoring_filter is None:
        return page_with_errors(form, choices)
    account_id, zone, language = visitor().account_id, visitor_time_zone(), visitor_language()
    reserve_download(account_id)
    audit_filter = monitoring_filter.as_audit_filter(zone, choices.activity_types)
    access = AuditAccess(
        account_id, audit_filter.sub_user_id, audit_filter.actions, audit_filter.since, audit_filter.until
    )
    recorded_format = "xlsx" if file_format == "xlsx" else "csv"
    record_access = partial(
        service().commands.audit_access.record_export, recorded_format, access, visitor().command_context
    )
    rows = service().queries.audit_log.stream(account_id, audit_filter, record_access=record_access)
    if file_format == "codes":
        return csv_response(rows, f"audit-log-{account_id}", session_check())
    sheet = AuditLogSheet(
        EventDescriptions(language, zone, choices.activity_types),
        SubUserNames.from_sub_users(choices.sub_users).name_by_id,
        partial(service().clients.describe, None),
    )
    name, title = t("monitoring.file_name"), t("monitoring.title")
    return spreadsheet_response(file_format, name, title, sheet.header, map(sheet.cells, rows))


def _workbook_pieces(
    title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], language: str
) -> Iterator[bytes]:
    """Yield the pieces of a workbook, which is written to a temporary file first."""
    with tempfile.TemporaryFile() as file:
        write_xlsx(file, title, header, rows, language)
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            yield piece


def _while_allowed(rows: Iterable[Sequence[Cell]], is_allowed: Callable[[], bool]) -> Iterator[Sequence[Cell]]:
    for number, row in enumerate(rows, 1):
        if number % ROWS_PER_CHECK == 0 and not is_allowed():
            raise AccessEnded
        yield row
