"""Schemas that several resources share. The OpenAPI document is generated from all schemas."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, fields, validate, validates_schema
from marshmallow.exceptions import ValidationError

from api.http.deprecation import RequestSchema
from api.http.fields.numbers import QueryInteger
from api.http.fields.texts import Text
from api.http.response_bodies import ResponseBody

MAX_NAME_LENGTH = 100
MAX_CURSOR_LENGTH = 2000
MAX_PAGE_SIZE = 200
DEFAULT_PAGE_SIZE = 50
UNTIL_NOT_AFTER_SINCE = "must be after `since`"


class Request(RequestSchema):
    """A request body. Refuses unknown fields, so that a misspelled name is not ignored silently."""

    class Meta:
        unknown = RAISE


class Query(RequestSchema):
    """Query parameters. Refuses unknown ones, so that a misspelled filter is not ignored silently."""

    class Meta:
        unknown = RAISE


class RangeQuery(Query):
    """Query parameters with a time range from `since`, included, to `until`, not included."""

    @validates_schema
    def require_until_after_since(self, data: Any, **_: Any) -> None:
        """Refuse an empty range: it is a mistake, and an empty result would hide it."""
        since, until = data.get("since"), data.get("until")
        if since is not None and until is not None and until <= since:
            raise ValidationError(UNTIL_NOT_AFTER_SINCE, "until")


class ProblemAnswer(ResponseBody):
    """An RFC 9457 problem."""

    type = fields.String(
        required=True, metadata={"description": "Kind of the problem. Stable: use it to tell problems apart."}
    )
    previous_type = fields.String(
        metadata={
            "deprecated": True,
            "description": "Deprecated. Use `type` instead. The `type` of this problem in version 0.1, if it differs.",
        }
    )
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.Dict(metadata={"description": "Messages about invalid values, by field, header or parameter."})
    epoch = fields.UUID(metadata={"description": "With `store-went-back`: the current epoch of the store."})
    common_position = fields.Integer(
        allow_none=True,
        metadata={
            "description": "With `store-went-back`: the last position that is valid in both epochs, or null if unknown."
        },
    )


class Paging(Query):
    """Query parameters of a paginated list."""

    limit = QueryInteger(load_default=DEFAULT_PAGE_SIZE, validate=validate.Range(1, MAX_PAGE_SIZE))
    cursor = Text(
        max_length=MAX_CURSOR_LENGTH,
        load_default=None,
        allow_none=False,
        metadata={
            "format": "cursor",
            "description": "`next_cursor` of the previous page. Valid for 24 hours, this list and this API key.",
        },
    )


class RecordedAnswer(ResponseBody):
    """The number of recorded activities or usage reports."""

    recorded = fields.Integer(required=True, attribute="count")
