"""Schemas of the event feed."""

from __future__ import annotations

from marshmallow import fields, validate
from webargs.fields import DelimitedList

from api.http.fields.numbers import Id, QueryDecimal, QueryInteger
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
            fields.String(validate=validate.OneOf(list(BY_TYPE), error="unknown event type")),
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
    limit = QueryInteger(load_default=DEFAULT_PAGE_SIZE, validate=validate.Range(1, MAX_EVENTS))
    types = EventTypes()
    epoch = Epoch()


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
    types = EventTypes()
    epoch = Epoch()


class EventsAnswer(ResponseBody):
    """A page of events, and the position of the next page."""

    items = fields.List(
        fields.Dict(), required=True, metadata={"description": "CloudEvents. `/asyncapi.json` has their schemas."}
    )
    next_cursor = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "`next_after` as text if more events are available now, else null."},
    )
    next_after = fields.Integer(
        required=True,
        metadata={"description": "`after` for the next request, now or later. No event is added at or before it."},
    )
