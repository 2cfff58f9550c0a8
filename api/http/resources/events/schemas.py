"""Schemas of the event feed."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, validate, validates_schema
from marshmallow.exceptions import ValidationError
from webargs.fields import DelimitedList

from api.http.fields.event_types import EventType
from api.http.fields.numbers import Id, QueryBoolean, QueryDecimal, QueryInteger
from api.http.response_bodies import ResponseBody
from api.http.schemas import DEFAULT_PAGE_SIZE, Query
from api.strict_parsing import MAX_POSITION
from projections.feed.event_catalog import BY_TYPE

MAX_EVENTS = 1000
MAX_EVENT_WAIT_SECONDS = 30


class EventTypes(DelimitedList):
    """Event types, separated by commas."""

    def __init__(self) -> None:
        super().__init__(
            EventType(),
            validate=validate.Length(1, len(BY_TYPE)),
            metadata={"description": "Return only events of these types, separated by commas. See `/asyncapi.json`."},
        )


class Epoch(Id):
    """The epoch to which a position belongs."""

    def __init__(self) -> None:
        super().__init__(
            load_default=None,
            metadata={"description": "`Store-Epoch` of `after`. 409 if `after` is not valid in the current epoch."},
        )


class AccountEventsQuery(Query):
    """Position and filters for reading an account's events."""

    after = QueryInteger(
        load_default=0,
        validate=validate.Range(0, MAX_POSITION),
        metadata={"description": "`next_after` of the previous page; 0 for the beginning of the history."},
    )
    cursor = QueryInteger(
        validate=validate.Range(0, MAX_POSITION),
        metadata={"description": "`next_cursor` of the previous page: another name of `after`. Send only one of them."},
    )
    limit = QueryInteger(load_default=DEFAULT_PAGE_SIZE, validate=validate.Range(1, MAX_EVENTS))
    event_types = EventTypes()
    epoch = Epoch()

    @validates_schema(pass_original=True)
    def require_one_position(self, data: Any, original: Any, **_: Any) -> None:  # noqa: ARG002  # only `original` tells
        """Refuse both names of the position: they could differ."""
        if {"after", "cursor"} <= set(original):
            raise ValidationError("must not be sent together with `after`", "cursor")

    @post_load
    def use_cursor(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Return the query with its position as `after`."""
        if "cursor" in data:
            data["after"] = data.pop("cursor")
        return data


class EventsQuery(AccountEventsQuery):
    """Position and filters for reading events, and how long to wait for the first one."""

    wait = QueryDecimal(
        load_default=0,
        validate=validate.Range(0, MAX_EVENT_WAIT_SECONDS),
        metadata={"description": "Seconds to wait for an event if there is none yet."},
    )


class EventStreamQuery(Query):
    """Position and filters for an event stream."""

    after = QueryInteger(load_default=0, validate=validate.Range(0, MAX_POSITION))
    event_types = EventTypes()
    epoch = Epoch()
    named = QueryBoolean(
        load_default=True,
        metadata={
            "description": "`false` leaves out `event`. Browsers then deliver all types to `onmessage`, as `message`."
        },
    )


class EventsAnswer(ResponseBody):
    """A page of events, and the position of the next page."""

    items = fields.List(
        fields.Dict(), required=True, metadata={"description": "CloudEvents. `/asyncapi.json` has their schemas."}
    )
    has_more = fields.Boolean(
        required=True,
        metadata={"description": "Whether there are more positions to read now. Their events may all be filtered out."},
    )
    next_cursor = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "`next_after` as text if `has_more`, else null."},
    )
    next_after = fields.Integer(
        required=True,
        metadata={"description": "`after` for the next request, now or later. No event is added at or before it."},
    )
