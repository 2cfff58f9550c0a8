"""The feed of events: page by page, waiting for more, or as a stream that stays open."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from flask import Response, current_app, request

from api.http.answers import answer
from api.http.doors import api_key, key_of_request, service
from api.http.problems import Problem, unprocessable
from api.http.routes import Routes
from api.http.schemas import AccountEventsQuery, EventsAnswer, EventsQuery, EventStreamQuery
from application.api_keys import Scope
from application.errors import ServiceError
from projections.event_feed import FeedFilter

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from uuid import UUID

    from api.bootstrap import Service
    from application.api_keys import ApiKey
    from projections.event_feed import FeedPage

routes = Routes("events", "Events for whoever follows what happens")

LOOK_UP_SECONDS = 1.0
"""How often a stream that has nothing to tell sees whether its key is still good, and its reader still there."""

STREAMED_AT_A_TIME = 500
EVENT_STREAM = "text/event-stream"
RECONNECT = b"retry: 2000\n"
"""Milliseconds after which a reader that was cut off comes back."""

STILL_HERE = b":\n"
LAST_EVENT_ID = {
    "in": "header",
    "name": "Last-Event-ID",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    "description": "The position of the last event that was read; counts more than `after`. Browsers send it.",
}

log = structlog.get_logger(__name__)


@routes.door(
    "GET",
    "/v1/events",
    Scope.ANALYTICS,
    Scope.AUDITOR,
    query=EventsQuery,
    gives=(200, EventsAnswer),
)
def list_events(query: dict[str, Any]) -> Response:
    """Read events, oldest first.

    Start with `after=0` and go on with `next_after`, for ever: no event ever appears behind it. With `wait` the answer
    comes as soon as there is something, or empty after so many seconds.
    """
    return _page(_wanted(query), query)


@routes.door(
    "GET",
    "/v1/accounts/<uuid:account_id>/events",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND,),
    query=AccountEventsQuery,
    gives=(200, EventsAnswer),
)
def list_account_events(query: dict[str, Any], account_id: UUID) -> Response:
    """Read one account's events, oldest first.

    As `/v1/events`, with the events of this account alone.
    """
    return _page(_wanted(query, account_id), {**query, "wait": 0})


@routes.door(
    "GET",
    "/v1/events/stream",
    Scope.ANALYTICS,
    Scope.AUDITOR,
    headers=(LAST_EVENT_ID,),
    query=EventStreamQuery,
)
def stream_events(query: dict[str, Any]) -> Response:
    """Read events as they come, as server-sent events.

    Each has its position as `id`, its type as `event`, and its CloudEvents envelope as `data`. With the last `id` a
    reader that was cut off goes on: as `Last-Event-ID`, or as `after`. Without either the stream begins at the
    beginning. An `id` that comes alone tells how far a filter has looked in vain; a line of `:` comes each second that
    has nothing to tell. There is a bounded number of streams: beyond it 503.
    """
    wanted = _wanted(query)
    after = _last_event_id() if "Last-Event-ID" in request.headers else query["after"]
    with ExitStack() as held:
        held.enter_context(_place())
        held.enter_context(service().event_tail.watched())
        service().event_feed.require_reached(after)
        first = service().event_feed.page(after, STREAMED_AT_A_TIME, wanted)
        told = _told(service(), api_key(), first, after, wanted)
        response = Response(told, content_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})
        response.call_on_close(held.pop_all().close)
    return response


def _page(wanted: FeedFilter, query: dict[str, Any]) -> Response:
    service().event_feed.require_reached(query["after"])
    page = service().event_feed.page(query["after"], query["limit"], wanted)
    if not page.items and query["wait"]:
        page = _awaited(page, query["limit"], wanted, query["wait"])
        key_of_request()  # revoked meanwhile it opens nothing any more
    body = {
        "items": page.items,
        "next_cursor": str(page.position) if page.more else None,
        "next_after": page.position,
    }
    return answer(json.dumps(body, separators=(",", ":")).encode())


def _awaited(page: FeedPage, limit: int, wanted: FeedFilter, seconds: float) -> FeedPage:
    """Return the first page that has anything, or an empty one after so many seconds."""
    deadline = time.monotonic() + seconds
    tail = service().event_tail
    with _place(), tail.watched():
        while not page.items and (left := deadline - time.monotonic()) > 0:
            if not page.more and not tail.wait_beyond(page.position, left):
                break
            page = service().event_feed.page(page.position, limit, wanted)
    return page


def _told(service: Service, key: ApiKey, page: FeedPage, after: int, wanted: FeedFilter) -> Iterator[bytes]:
    """Tell events as they come, until the reader is gone, its key is revoked, or this process is to end."""
    yield RECONNECT
    try:
        while not service.event_tail.ended and service.api_keys.is_good(key.api_key_id):
            yield _blocks(page, after)
            if not page.more:
                service.event_tail.wait_beyond(page.position, LOOK_UP_SECONDS)
            after = page.position
            page = service.event_feed.page(after, STREAMED_AT_A_TIME, wanted)
    except ServiceError as error:  # its reader comes back by itself, and to the same place
        log.warning("events.stream_ended", code=error.code)


def _blocks(page: FeedPage, told: int) -> bytes:
    """Return a page as a stream tells it, and where its reader stands if that is after the last of its events."""
    blocks = [_block(item) for item in page.items]
    if page.position > (page.items[-1]["position"] if page.items else told):
        blocks.append(f"id: {page.position}\n\n".encode())
    return b"".join(blocks) or STILL_HERE


def _block(item: dict[str, Any]) -> bytes:
    data = json.dumps(item, separators=(",", ":"))
    return f"id: {item['position']}\nevent: {item['type']}\ndata: {data}\n\n".encode()


@contextmanager
def _place() -> Iterator[None]:
    """Hold one of the places for readers who wait. Raises the problem that there is none."""
    places: threading.BoundedSemaphore = current_app.extensions["subusers-waiting-places"]
    if not places.acquire(blocking=False):
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too-many-streams",
            "As many readers wait here as there is room for: try again, or read without waiting.",
            headers={"Retry-After": "5"},
        )
    try:
        yield
    finally:
        places.release()


def _wanted(query: dict[str, Any], account_id: UUID | None = None) -> FeedFilter:
    return FeedFilter(frozenset(query["types"]) if "types" in query else None, account_id)


def _last_event_id() -> int:
    text = request.headers["Last-Event-ID"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise unprocessable({"Last-Event-ID": ["must be a position from an earlier event"]})
    return int(text)
