"""Query parameters of an export."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.fields.numbers import QueryInteger
from api.http.fields.texts import Text
from api.http.fields.times import Time
from api.http.resources.exports.lines import ExportFormat
from api.http.schemas import MAX_CURSOR_LENGTH, RangeQuery
from api.strict_parsing import MAX_POSITION


class ExportQuery(RangeQuery):
    """Range and format of an export."""

    format = fields.Enum(ExportFormat, by_value=True, load_default=ExportFormat.JSONL, allow_none=False)
    since = Time(
        load_default=None, allow_none=False, metadata={"description": "Only events recorded at or after this time."}
    )
    until = Time(
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
