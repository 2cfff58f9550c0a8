"""Routes for exports of one account or of all: with proofs, for spreadsheets, or for a SIEM."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from api.http.authentication import api_key_activity_check, command_context, service
from api.http.downloads import file_response, reserve_download
from api.http.resources.exports.lines import lines
from api.http.resources.exports.schemas import ExportQuery
from api.http.routing import EXPORT_CURSOR, Routes
from application.commands.api_keys import Scope
from application.commands.audit_access import AuditAccess
from projections.history.exports import ExportFilter
from projections.transparency.checkpointer import HistoryRewritten, KeyNotHeld

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

routes = Routes("exports", "Exports of the recorded events")


@routes.route("GET", "/v1/audit/export", Scope.AUDITOR, query=ExportQuery, response_headers=(EXPORT_CURSOR,))
def export_events(query: dict[str, Any]) -> Response:
    """Export the events of all accounts, oldest first.

    Formats:

    - `jsonl`: each event as it is stored, one per line, with the proof that it is in a signed checkpoint. The export
      ends at the newest checkpoint.
    - `csv`: the columns of the audit log, one event per line.
    - `ocsf`: OCSF 1.6.0 events, one per line.

    `since` and `until` are compared with the times of recording. To resume an interrupted export, repeat the request
    with `cursor` set to the value of the `Export-Cursor` response header, and `after` set to the position of the last
    complete line. Without `after`, the export begins again with its header. Each export is recorded in the audit log.

    An interrupted response ends without the last chunk, which HTTP clients report as an error. The last line of `jsonl`
    also has the number of events. For `csv` and `ocsf`, resume after the last line of a file: if the response is empty,
    the file is complete.
    """
    return _export(query, None)


@routes.route(
    "GET",
    "/v1/accounts/<uuid:account_id>/export",
    Scope.AUDITOR,
    problems=(HTTPStatus.NOT_FOUND,),
    query=ExportQuery,
    response_headers=(EXPORT_CURSOR,),
)
def export_account_events(query: dict[str, Any], account_id: UUID) -> Response:
    """Export the events of one account, oldest first.

    The parameters and formats are those of `/v1/audit/export`.
    """
    return _export(query, account_id)


def _export(query: dict[str, Any], account_id: UUID | None) -> Response:
    export_format = query["format"]
    export_filter = ExportFilter(account_id, query["since"], query["until"])
    started_at = service().clock()
    reserve_download(account_id)
    if export_format.has_proofs:
        # If no checkpoint can be signed, the export ends at the last one. Its verification shows a rewritten history.
        with service().commands.audit_access.commit_slot(), suppress(KeyNotHeld, HistoryRewritten):
            service().workers.checkpointer.sign_due()
    export = service().queries.exports.begin(
        export_filter, export_format, has_proofs=export_format.has_proofs, after=query["after"], cursor=query["cursor"]
    )
    access = AuditAccess(account_id, since=export_filter.since, until=export_filter.until)
    service().commands.audit_access.record_export(
        export_format, access, command_context(account_id), export.resume_position
    )
    name = f"export-{account_id or 'all'}.{export_format.file_extension}"
    exported_lines = lines(
        export,
        export_format,
        service().commands.activity_types.current(),
        end_marker_at=started_at if query["end_marker"] else None,
        has_byte_order_mark=query["bom"],
    )
    response = file_response(exported_lines, name, export_format.content_type, api_key_activity_check())
    response.headers[EXPORT_CURSOR] = export.cursor
    return response
