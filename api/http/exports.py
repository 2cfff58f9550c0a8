"""Copies of what is recorded: of one account or of all, with proofs, for spreadsheets, or for a SIEM."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.export_lines import lines
from api.http.audit_csv import file_answer
from api.http.doors import key_stays_good, origin, service
from api.http.export_schemas import ExportQuery
from api.http.routes import EXPORT_CURSOR, Routes
from application.api_keys import Scope
from application.audit_reads import Asked
from projections.checkpointer import HistoryRewritten, KeyNotHeld
from projections.exports import ExportFilter

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

routes = Routes("exports", "Copies of what is recorded")


@routes.door("GET", "/v1/audit/export", Scope.AUDITOR, query=ExportQuery, tells=(EXPORT_CURSOR,))
def export_all(query: dict[str, Any]) -> Response:
    """Take a copy of everything that is recorded, of all accounts, oldest first.

    As `jsonl`, each event as it is stored, with the proof that it is in a signed checkpoint, up to the newest of them;
    as `csv`; or as `ocsf`, OCSF 1.6.0 events, one a line. `since` and `until` go by the time of recording. The last
    line tells that it is the last, and how many events there were: without it a file is not whole. One that broke off
    goes on with the same parameters, `Export-Cursor` as `cursor`, and `after` the position of the last
    whole line. That a copy was taken is recorded.
    """
    return _export(query, None)


@routes.door(
    "GET",
    "/v1/accounts/<uuid:account_id>/export",
    Scope.AUDITOR,
    problems=(HTTPStatus.NOT_FOUND,),
    query=ExportQuery,
    tells=(EXPORT_CURSOR,),
)
def export_account(query: dict[str, Any], account_id: UUID) -> Response:
    """Take a copy of everything that is recorded of an account, oldest first.

    As `/v1/audit/export`, with the events of this account alone.
    """
    return _export(query, account_id)


def _export(query: dict[str, Any], account_id: UUID | None) -> Response:
    form = query["format"]
    wanted = ExportFilter(account_id, query["since"], query["until"])
    at = service().clock()
    if form.proven:
        with suppress(KeyNotHeld, HistoryRewritten):  # then the last checkpoint will have to do, or will tell
            service().checkpointer.make_due()
    export = service().exports.begin(wanted, form, proven=form.proven, after=query["after"], cursor=query["cursor"])
    asked = Asked(account_id, since=wanted.since, until=wanted.until)
    service().audit_reads.note_exported(form, asked, origin(account_id), export.position)
    name = f"export-{account_id or 'all'}.{form.ending}"
    response = file_answer(lines(export, form, at), name, form.content_type, key_stays_good())
    response.headers[EXPORT_CURSOR] = export.cursor
    return response
