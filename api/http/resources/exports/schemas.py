"""Query parameters of an export."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate, validates_schema
from marshmallow.exceptions import ValidationError

from api.http.fields.numbers import QueryBoolean, QueryInteger
from api.http.fields.texts import Text
from api.http.fields.times import TimeOrDay
from api.http.resources.exports.lines import ExportFormat
from api.http.schemas import MAX_CURSOR_LENGTH, RangeQuery
from api.strict_parsing import MAX_POSITION


class ExportQuery(RangeQuery):
    """Range and format of an export."""

    format = fields.Enum(ExportFormat, by_value=True, load_default=ExportFormat.JSONL, allow_none=False)
    since = TimeOrDay(
        load_default=None, allow_none=False, metadata={"description": "Only events recorded at or after this time."}
    )
    until = TimeOrDay(
        load_default=None, allow_none=False, metadata={"description": "Only events recorded before this time."}
    )
    after = QueryInteger(
        load_default=None,
        allow_none=False,
        validate=validate.Range(0, MAX_POSITION),
        metadata={"description": "Position after which the export begins or, with `cursor`, continues."},
    )
    cursor = Text(
        max_length=MAX_CURSOR_LENGTH,
        load_default=None,
        allow_none=False,
        metadata={
            "format": "cursor",
            "description": "`Export-Cursor` of the interrupted response. Valid for 24 hours and the same API key.",
        },
    )
    bom = QueryBoolean(
        load_default=False,
        metadata={"description": "With `csv`: begin with a byte order mark, so that Excel reads the file as UTF-8."},
    )
    end_marker = QueryBoolean(
        load_default=False,
        metadata={"description": "With `csv` and `ocsf`: end with a line that counts the events, as in 0.1."},
    )

    @validates_schema
    def require_format(self, data: Any, **_: Any) -> None:
        """Refuse an option of another format, so that it is not ignored silently."""
        export_format = data.get("format")
        if data.get("bom") and export_format is not ExportFormat.CSV:
            raise ValidationError("is only for `csv`", "bom")
        if data.get("end_marker") and export_format is ExportFormat.JSONL:
            raise ValidationError("is only for `csv` and `ocsf`: `jsonl` always has an end line", "end_marker")
