"""Route of an account's audit log: pages of JSON, or a complete download as CSV or NDJSON."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request

from api.http.authentication import api_key, api_key_activity_check, command_context, service
from api.http.downloads import file_response, reserve_download
from api.http.problems import Problem
from api.http.resources.audit_log.csv_rows import AUDIT_ROW, CSV, csv_response
from api.http.resources.audit_log.schemas import AuditLogAnswer, AuditLogQuery
from api.http.responses import json_response, required_position
from api.http.routing import REQUIRED_POSITION, Routes
from application.commands.api_keys import Scope
from application.commands.audit_access import AuditAccess
from domain.event_metadata import ReadTarget
from projections.audit_log.conditions import AuditFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from flask import Response

    from projections.audit_log.rows import AuditRow

routes = Routes("audit-log", "Audit log of an account")
PAGE = AuditLogAnswer()

NDJSON = "application/x-ndjson"
MEDIA_TYPES = ["application/json", CSV, NDJSON]


@routes.route(
    "GET",
    "/v1/accounts/<uuid:account_id>/audit-log",
    Scope.PORTAL,
    Scope.AUDITOR,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE),
    headers=(REQUIRED_POSITION,),
    query=AuditLogQuery,
    response=(200, AuditLogAnswer),
)
def list_audit_log(query: dict[str, Any], account_id: UUID) -> Response:
    """Read the audit log of an account, newest entries first.

    Repeat `action` for entries with any of several actions. `actor_type` and `actor_id` select by who acted.

    `Accept: application/json` returns pages. `text/csv` and `application/x-ndjson` stream all entries, and ignore
    `limit` and `cursor`. `since` is included, `until` is not. Pages read with an auditor key are recorded as
    `audit_log.read`, and complete downloads as `audit_log.exported`.
    """
    filters = {
        "sub_user_id": query["sub_user_id"],
        "actions": tuple(query["action"]),
        "since": query["since"],
        "until": query["until"],
        "actor_type": query["actor_type"],
        "actor_id": query["actor_id"],
    }
    audit_filter, access = AuditFilter(**filters), AuditAccess(account_id, **filters)
    media_type = request.accept_mimetypes.best_match(MEDIA_TYPES) if request.accept_mimetypes else MEDIA_TYPES[0]
    if media_type is None:
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", f"Supported media types: {', '.join(MEDIA_TYPES)}.")
    if media_type == "application/json":
        items, next_cursor = service().queries.audit_log.page(
            account_id, audit_filter, query["limit"], query["cursor"], required_position()
        )
        if api_key().scope is Scope.AUDITOR:
            service().commands.audit_access.record_access(ReadTarget.AUDIT_LOG, access, command_context(account_id))
        return json_response(PAGE.to_json({"items": items, "next_cursor": next_cursor}))
    export_format = "csv" if media_type == CSV else "ndjson"
    reserve_download(account_id)
    rows = service().queries.audit_log.stream(
        account_id,
        audit_filter,
        required_position(),
        record_access=partial(
            service().commands.audit_access.record_export, export_format, access, command_context(account_id)
        ),
    )
    name = f"audit-log-{account_id}"
    if media_type == CSV:
        return csv_response(rows, name, api_key_activity_check(), has_byte_order_mark=query["bom"])
    return file_response(_ndjson_lines(rows), f"{name}.ndjson", NDJSON, api_key_activity_check())


def _ndjson_lines(rows: Iterator[AuditRow]) -> Iterator[bytes]:
    for row in rows:
        yield AUDIT_ROW.to_json(row) + b"\n"
