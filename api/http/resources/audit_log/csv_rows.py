"""CSV rows of the audit log for spreadsheets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.http.downloads import file_response
from api.http.resources.audit_log.schemas import AuditRowAnswer
from api.presentation.spreadsheets.csv_cells import BYTE_ORDER_MARK, JsonText, csv_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flask import Response

    from projections.audit_log.rows import AuditRow

AUDIT_ROW = AuditRowAnswer()

CSV = "text/csv"
CSV_COLUMNS = (
    *("position", "occurred_at", "recorded_at", "action", "actor_type", "actor_id", "actor_name"),
    *("actor_api_key_id", "actor_person", "sub_user_id", "target", "ip", "user_agent", "reason", "details"),
)


def csv_response(
    rows: Iterable[AuditRow], name: str, is_allowed: Callable[[], bool], *, has_byte_order_mark: bool = False
) -> Response:
    """Return audit log rows as a CSV attachment. `name` has no file extension."""
    file_lines = _lines(rows, has_byte_order_mark=has_byte_order_mark)
    return file_response(file_lines, f"{name}.csv", f"{CSV}; charset=utf-8", is_allowed)


def _lines(rows: Iterable[AuditRow], *, has_byte_order_mark: bool) -> Iterator[bytes]:
    yield (BYTE_ORDER_MARK if has_byte_order_mark else b"") + csv_line(CSV_COLUMNS)
    for row in rows:
        cells = row_cells(row)
        yield csv_line(tuple(cells[column] for column in CSV_COLUMNS))


def row_cells(row: AuditRow) -> dict[str, Any]:
    """Return the cells of a row by column name."""
    cells: dict[str, Any] = AUDIT_ROW.dump(row)
    actor = cells.pop("actor")
    cells |= {f"actor_{name}": value for name, value in actor.items()}
    cells["details"] = JsonText.of(cells["details"])
    return cells
