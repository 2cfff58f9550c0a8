"""Strict fields for numbers, booleans and ids."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from marshmallow import fields

from api.strict_parsing import parse_decimal, parse_id, parse_integer
from domain.plan import MS_PER_MINUTE

if TYPE_CHECKING:
    from uuid import UUID

ROUNDING_TOLERANCE = Decimal("1e-9")
"""Tolerated rounding error of a calculated number, such as 0.1 + 0.2: it does not count as additional decimals."""


class Minutes(fields.Field[int]):
    """Minutes with up to 3 decimals. Loaded as integer milliseconds, so that sums are exact."""

    default_error_messages = {  # noqa: RUF012  # declared by marshmallow
        "invalid": "must be a number",
        "range": "must be between 0 and {maximum}",
        "precision": "must have at most 3 decimals",
    }

    def __init__(self, *, maximum: int | None = None, **kwargs: Any) -> None:
        self._maximum = maximum
        bounds = {} if maximum is None else {"minimum": 0, "maximum": maximum, "multipleOf": 0.001}
        super().__init__(metadata={"type": "number", **bounds, **kwargs.pop("metadata", {})}, **kwargs)

    def to_json_value(self, value: int) -> float:
        """Return milliseconds as minutes, whole ones as an integer."""
        return value // MS_PER_MINUTE if value % MS_PER_MINUTE == 0 else round(value / MS_PER_MINUTE, 3)

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> float | None:
        return None if value is None else self.to_json_value(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.make_error("invalid")
        if isinstance(value, float) and math.isnan(value):  # a number that a float would round to zero
            raise self.make_error("precision")
        if not 0 <= value <= (self._maximum or 0):
            raise self.make_error("range", maximum=self._maximum)
        number = Decimal(repr(value))
        rounded = number.quantize(Decimal("0.001"), ROUND_HALF_EVEN)
        if abs(number - rounded) > ROUNDING_TOLERANCE:
            raise self.make_error("precision")
        return int(rounded * MS_PER_MINUTE)


class StrictInteger(fields.Integer):
    """An integer by the rules of JSON Schema: 12.0 is valid, "12" and true are not."""

    def _validated(self, value: Any) -> int:
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value // 1:
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class StrictBoolean(fields.Boolean):
    """A JSON boolean. Marshmallow would also accept values such as "yes" or 1."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class QueryBoolean(fields.Boolean):
    """`true` or `false` in a query parameter."""

    default_error_messages = {"invalid": "must be true or false"}  # noqa: RUF012  # declared by marshmallow

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if value not in {"true", "false"}:
            raise self.make_error("invalid", input=value)
        return bool(value == "true")


class QueryInteger(fields.Integer):
    """An integer in a query parameter."""

    def _validated(self, value: Any) -> int:
        try:
            return parse_integer(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid", input=value) from None


class QueryDecimal(fields.Float):
    """A number in a query parameter, with optional decimals and exponent."""

    def _validated(self, value: Any) -> float:
        try:
            return parse_decimal(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid", input=value) from None


class Id(fields.UUID):
    """An id in a request. Python's `UUID` would also accept braces, missing hyphens and the digits of other scripts."""

    def _validated(self, value: Any) -> UUID:
        try:
            return parse_id(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid_uuid") from None
