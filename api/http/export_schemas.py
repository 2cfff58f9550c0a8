"""What is asked for of an export."""

from __future__ import annotations

from marshmallow import fields, validate

from api.export_lines import Form
from api.http.fields import Text, Time
from api.http.schemas import HIGHEST_POSITION, LONGEST_CURSOR, Query


class ExportQuery(Query):
    """What to export, and as what."""

    format = fields.Enum(Form, by_value=True, load_default=Form.JSONL, allow_none=False)
    since = Time(load_default=None, allow_none=False, metadata={"description": "Recorded from then on."})
    until = Time(load_default=None, allow_none=False, metadata={"description": "Recorded before then."})
    after = fields.Integer(
        load_default=None,
        allow_none=False,
        validate=validate.Range(0, HIGHEST_POSITION),
        metadata={"description": "Begin after this position; with `cursor`, go on after it."},
    )
    cursor = Text(
        longest=LONGEST_CURSOR,
        load_default=None,
        allow_none=False,
        metadata={"format": "cursor", "description": "`Export-Cursor` of the answer that broke off."},
    )
