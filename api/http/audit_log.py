"""The audit log of an account, as pages of JSON, or whole as CSV or NDJSON."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import request

from api.http.answers import answer, demanded_position
from api.http.audit_csv import CSV, ROW, csv_answer, file_answer
from api.http.doors import api_key, key_stays_good, origin, service
from api.http.problems import Problem
from api.http.routes import EVENT_POSITION, Routes
from api.http.schemas import AuditLogAnswer, AuditLogQuery
from application.api_keys import Scope
from application.audit_reads import Asked
from domain.cause import Reading
from projections.audit_queries import AuditFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from flask import Response

    from projections.audit_rows import AuditRow

routes = Routes("audit-log", "What happened in an account")
PAGE = AuditLogAnswer()

NDJSON = "application/x-ndjson"
OFFERED = ["application/json", CSV, NDJSON]


@routes.door(
    "GET",
    "/v1/accounts/<uuid:account_id>/audit-log",
    Scope.PORTAL,
    Scope.AUDITOR,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE),
    headers=(EVENT_POSITION,),
    query=AuditLogQuery,
    gives=(200, AuditLogAnswer),
)
def read_audit_log(query: dict[str, Any], account_id: UUID) -> Response:
    """Read what happened in an account, newest first.

    As `application/json` in pages; as `text/csv` or `application/x-ndjson` whole, streamed, without `limit` and
    `cursor`. `since` is included, `until` is not. That an auditor reads it is recorded, and so is every copy that is
    taken whole, by whomever: as `audit_log.read` and `audit_log.exported`.
    """
    wanted = AuditFilter(query["sub_user_id"], query["action"], query["since"], query["until"])
    asked = Asked(account_id, query["sub_user_id"], query["action"], query["since"], query["until"])
    kind = request.accept_mimetypes.best_match(OFFERED) if request.accept_mimetypes else OFFERED[0]
    if kind is None:
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", f"This can be had as {', '.join(OFFERED)}.")
    if kind == "application/json":
        items, next_cursor = service().audit_queries.page(
            account_id, wanted, query["limit"], query["cursor"], demanded_position()
        )
        if query["cursor"] is None and api_key().scope is Scope.AUDITOR:
            service().audit_reads.note_read(Reading.AUDIT_LOG, asked, origin(account_id))
        return answer(PAGE.written({"items": items, "next_cursor": next_cursor}))
    form = "csv" if kind == CSV else "ndjson"
    rows = service().audit_queries.stream(
        account_id,
        wanted,
        demanded_position(),
        note=partial(service().audit_reads.note_exported, form, asked, origin(account_id)),
    )
    name = f"audit-log-{account_id}"
    if kind == CSV:
        return csv_answer(rows, name, key_stays_good())
    return file_answer(_ndjson_lines(rows), f"{name}.ndjson", NDJSON, key_stays_good())


def _ndjson_lines(rows: Iterator[AuditRow]) -> Iterator[bytes]:
    for row in rows:
        yield ROW.written(row) + b"\n"
