"""The audit log of an account, as pages of JSON, or whole as CSV or NDJSON."""

from __future__ import annotations

import csv
import io
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Response, request

from api.http.answers import answer, body_of, demanded_position
from api.http.doors import service
from api.http.problems import Problem
from api.http.routes import EVENT_POSITION, Routes
from api.http.schemas import AuditLogAnswer, AuditLogQuery, AuditRowAnswer
from application.api_keys import Scope
from projections.audit_queries import AuditFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from projections.audit_queries import AuditRow

routes = Routes("audit-log", "What happened in an account")
PAGE = AuditLogAnswer()
ROW = AuditRowAnswer()

CSV = "text/csv"
NDJSON = "application/x-ndjson"
OFFERED = ["application/json", CSV, NDJSON]

CSV_COLUMNS = (
    *("position", "occurred_at", "recorded_at", "action", "actor_type", "actor_id", "actor_name"),
    *("sub_user_id", "target", "ip", "user_agent", "reason", "details"),
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""

ROWS_AT_A_TIME = 100
"""Rows written to the connection at once."""


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
    `cursor`. `since` is included, `until` is not.
    """
    wanted = AuditFilter(query["sub_user_id"], query["action"], query["since"], query["until"])
    kind = request.accept_mimetypes.best_match(OFFERED) if request.accept_mimetypes else OFFERED[0]
    if kind is None:
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", f"This can be had as {', '.join(OFFERED)}.")
    if kind == "application/json":
        items, next_cursor = service().audit_queries.page(
            account_id, wanted, query["limit"], query["cursor"], demanded_position()
        )
        return answer(body_of(PAGE, {"items": items, "next_cursor": next_cursor}))
    rows = service().audit_queries.stream(account_id, wanted, demanded_position())
    lines = _csv_lines(rows) if kind == CSV else _ndjson_lines(rows)
    disposition = f'attachment; filename="audit-log-{account_id}.{"csv" if kind == CSV else "ndjson"}"'
    content_type = f"{kind}; charset=utf-8" if kind == CSV else kind
    return Response(_chunks(lines), content_type=content_type, headers={"Content-Disposition": disposition})


def _ndjson_lines(rows: Iterator[AuditRow]) -> Iterator[bytes]:
    for row in rows:
        yield body_of(ROW, row) + b"\n"


def _csv_lines(rows: Iterator[AuditRow]) -> Iterator[bytes]:
    yield _csv_line(CSV_COLUMNS)
    for row in rows:
        shown = ROW.dump(row)
        actor = shown.pop("actor")
        shown |= {f"actor_{name}": value for name, value in actor.items()}
        shown["details"] = json.dumps(shown["details"], ensure_ascii=False, default=str)
        yield _csv_line(tuple(shown[column] for column in CSV_COLUMNS))


def _csv_line(values: tuple[Any, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(value) for value in values])
    return line.getvalue().encode()


def _harmless(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _chunks(lines: Iterator[bytes]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == ROWS_AT_A_TIME:
            yield b"".join(chunk)
            chunk = []
    yield b"".join(chunk)
