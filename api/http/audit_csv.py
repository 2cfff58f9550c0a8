"""The audit log as a table for spreadsheets, streamed."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from flask import Response

from api.http.schemas import AuditRowAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from projections.audit_rows import AuditRow

ROW = AuditRowAnswer()

CSV = "text/csv"
CSV_COLUMNS = (
    *("position", "occurred_at", "recorded_at", "action", "actor_type", "actor_id", "actor_name"),
    *("sub_user_id", "target", "ip", "user_agent", "reason", "details"),
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""

ROWS_AT_A_TIME = 100
"""Rows written to the connection at once."""


class AccessEnded(Exception):
    """Whoever took a file may not have the rest of it: their access has ended meanwhile."""


def csv_answer(rows: Iterable[AuditRow], name: str, may_go_on: Callable[[], bool]) -> Response:
    """Return these rows as a file to keep, by that name without its ending."""
    return file_answer(_lines(rows), f"{name}.csv", f"{CSV}; charset=utf-8", may_go_on)


def file_answer(lines: Iterable[bytes], name: str, content_type: str, may_go_on: Callable[[], bool]) -> Response:
    """Return lines as a file to keep, written to the connection some at a time, for as long as it may go on.

    After that it breaks off, and is no whole answer.
    """
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(_chunks(lines, may_go_on), content_type=content_type, headers=headers)


def _lines(rows: Iterable[AuditRow]) -> Iterator[bytes]:
    yield csv_line(CSV_COLUMNS)
    for row in rows:
        cells = flat(row)
        yield csv_line(tuple(cells[column] for column in CSV_COLUMNS))


def flat(row: AuditRow) -> dict[str, Any]:
    """Return a row as its cells, by column."""
    shown: dict[str, Any] = ROW.dump(row)
    actor = shown.pop("actor")
    shown |= {f"actor_{name}": value for name, value in actor.items()}
    shown["details"] = json.dumps(shown["details"], ensure_ascii=False, default=str)
    return shown


def csv_line(values: tuple[Any, ...]) -> bytes:
    """Return a line of a table, of whose cells no spreadsheet takes any for a formula."""
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(value) for value in values])
    return line.getvalue().encode()


def _harmless(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _chunks(lines: Iterable[bytes], may_go_on: Callable[[], bool]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == ROWS_AT_A_TIME:
            yield b"".join(chunk)
            if not may_go_on():
                raise AccessEnded
            chunk = []
    yield b"".join(chunk)
