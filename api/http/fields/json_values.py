"""Fields for arbitrary JSON, and for values with an encoding of their own."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

import orjson
from marshmallow import ValidationError, fields

from api.http.fields.times import format_time

MAX_DETAILS_LENGTH = 4000

MAX_DETAILS_DEPTH = 16

ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""NUL in JSON text: preceded by an even number of backslashes, which are escaped backslashes themselves."""


@runtime_checkable
class ConvertedField(Protocol):
    """A field whose values must be converted before orjson encodes them."""

    def to_json_value(self, value: Any) -> Any:
        """Return the converted value. `value` is not None."""


class Details(fields.Field[Any]):
    """Any JSON value within limits of length and depth. Loaded as JSON text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            text.encode()
        except (ValueError, RecursionError):
            msg = "must not contain unpaired surrogates or numbers that are too large"
            raise ValidationError(msg) from None
        if ESCAPED_NUL.search(text):
            msg = "must not contain NUL"
            raise ValidationError(msg)
        if len(text) > MAX_DETAILS_LENGTH or _is_deeper(value, MAX_DETAILS_DEPTH):
            msg = f"must be at most {MAX_DETAILS_LENGTH} characters and {MAX_DETAILS_DEPTH} levels"
            raise ValidationError(msg)
        return text


class EventDetails(fields.Field[Any]):
    """Details of an event as a JSON object, with times and ids in the usual formats."""

    def to_json_value(self, value: Any) -> Any:
        """Return encoded JSON: the details of an activity may have integers beyond orjson's 64 bits."""
        return orjson.Fragment(
            json.dumps(self._serialize(value, None, None), ensure_ascii=False, separators=(",", ":"))
        )

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return {name: _json_value(item) for name, item in value.items()} if isinstance(value, dict) else value


class EventValue(fields.Field[Any]):
    """A single value of an event."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return _json_value(value)


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether a value is nested deeper than this. Recursion ends at that depth."""
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    return any(_is_deeper(part, levels - 1) for part in (value.values() if isinstance(value, dict) else value))
