"""Lines of an export in each format, for HTTP and for the command line."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from api.http.resources.audit_log.csv_rows import AUDIT_ROW, CSV_COLUMNS, row_cells
from api.presentation.event_descriptions import EventDescriptions
from api.presentation.ocsf import ocsf_end, ocsf_event
from api.presentation.spreadsheets.csv_cells import BYTE_ORDER_MARK, JsonText, csv_line
from application.display_text import escape_unprintable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from application.commands.activity_types import ActivityTypes
    from projections.history.exports import Export, ExportedEvent


class ExportFormat(StrEnum):
    """Format of an export."""

    JSONL = "jsonl"
    CSV = "csv"
    OCSF = "ocsf"

    @property
    def has_proofs(self) -> bool:
        """Whether the format includes inclusion proofs."""
        return self is ExportFormat.JSONL

    @property
    def content_type(self) -> str:
        """Media type of the format."""
        return "text/csv; charset=utf-8" if self is ExportFormat.CSV else "application/x-ndjson"

    @property
    def file_extension(self) -> str:
        """File extension of the format."""
        return {ExportFormat.JSONL: "jsonl", ExportFormat.CSV: "csv", ExportFormat.OCSF: "ocsf.jsonl"}[self]


COLUMNS = (CSV_COLUMNS[0], "account_id", *CSV_COLUMNS[1:])


def lines(
    export: Export,
    export_format: ExportFormat,
    activity_types: ActivityTypes,
    *,
    end_marker_at: datetime | None = None,
    has_byte_order_mark: bool = False,
) -> Iterator[bytes]:
    """Return the lines of an export. Sentences have the names of `activity_types`.

    The last line of `jsonl` marks it as complete. `csv` and `ocsf` have such a line only if `end_marker_at`, its time,
    is set. A CSV file can begin with a byte order mark.
    """
    descriptions = EventDescriptions(activity_types=activity_types)
    match export_format:
        case ExportFormat.JSONL:
            return (_json(line) for line in export.lines(partial(_export_fields, descriptions)))
        case ExportFormat.CSV:
            return _csv(export, has_end_marker=end_marker_at is not None, has_byte_order_mark=has_byte_order_mark)
        case ExportFormat.OCSF:
            return _ocsf(export, descriptions, end_marker_at)


def _csv(export: Export, *, has_end_marker: bool, has_byte_order_mark: bool) -> Iterator[bytes]:
    if not export.is_resumed:
        yield (BYTE_ORDER_MARK if has_byte_order_mark else b"") + csv_line(COLUMNS)
    for exported in export.rows():
        cells = {**row_cells(exported.row), "account_id": exported.account_id}
        yield csv_line(tuple(cells[column] for column in COLUMNS))
    if has_end_marker:
        end = {"position": "end", "details": JsonText.of({"events": export.count_all()})}
        yield csv_line(tuple(end.get(column) for column in COLUMNS))


def _ocsf(export: Export, descriptions: EventDescriptions, end_marker_at: datetime | None) -> Iterator[bytes]:
    for exported in export.rows():
        sentence = descriptions.describe(exported.row, exported.names)
        yield _json(ocsf_event(exported, sentence, AUDIT_ROW.dump(exported.row)))
    if end_marker_at is not None:
        yield _json(ocsf_end(export.count_all(), export.end_position, end_marker_at))


def _export_fields(descriptions: EventDescriptions, exported: ExportedEvent) -> dict[str, Any]:
    return {
        **AUDIT_ROW.dump(exported.row),
        "account_id": str(exported.account_id) if exported.account_id else None,
        "in_words": descriptions.describe(exported.row, exported.names),
    }


def _json(value: Any) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
    return escape_unprintable(text).encode() + b"\n"  # the output may go to a terminal
