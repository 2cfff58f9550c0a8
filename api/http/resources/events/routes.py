"""Routes of the event feed: pages, long polling, and server-sent events."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from flask import Response, current_app, request

from api.http.authentication import api_key, authenticate, service
from api.http.problems import Problem, unprocessable
from api.http.resources.events.schemas import AccountEventsQuery, EventsAnswer, EventsQuery, EventStreamQuery
from api.http.responses import json_response
from api.http.routing import Routes
from api.strict_parsing import POSITION, parse_position
from application.commands.api_keys import Scope
from application.errors import ServiceError, StoreWentBack
from projections.feed.pages import FeedFilter

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from api.bootstrap.service import Service
    from application.commands.api_keys import ApiKey
    from projections.feed.pages import FeedPage

routes = Routes("events", "Feed of events")
PAGE = EventsAnswer()

IDLE_CHECK_SECONDS = 1.0
"""Interval at which an idle stream checks its API key, and sends a comment to detect a closed connection."""

STREAM_PAGE_SIZE = 500
EVENT_STREAM = "text/event-stream"
RECONNECT = b"retry: 2000\n"
"""An interrupted client reconnects after this number of milliseconds."""

KEEP_ALIVE = b":\n"
LAST_EVENT_ID = {
    "in": "header",
    "name": "Last-Event-ID",
    "schema": {"type": "string", "pattern": f"^{POSITION.pattern}$"},
    "description": "Position of the last event received. Takes precedence over `after`. Browsers send it on reconnect.",
}

log = structlog.get_logger(__name__)


@routes.route(
    "GET",
    "/v1/events",
    Scope.ANALYTICS,
    Scope.AUDITOR,
    problems=(HTTPStatus.CONFLICT,),
    query=EventsQuery,
    response=(200, EventsAnswer),
    response_headers=("Store-Epoch",),
)
def list_events(query: dict[str, Any]) -> Response:
    """Read events, oldest first.

    Start with `after=0`, and continue with `next_after` of each response: no event is ever added at or before it.
    `has_more` is false once you have reached the end. With `wait` the response is sent as soon as there is an event, or
    is empty after that number of seconds.
    """
    return _page_response(_feed_filter(query), query)


@routes.route(
    "GET",
    "/v1/accounts/<uuid:account_id>/events",
    Scope.PORTAL,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    query=AccountEventsQuery,
    response=(200, EventsAnswer),
    response_headers=("Store-Epoch",),
)
def list_account_events(query: dict[str, Any], account_id: UUID) -> Response:
    """Read the events of one account, oldest first.

    Works like `/v1/events`, without `wait`.
    """
    return _page_response(_feed_filter(query, account_id), {**query, "wait": 0})


@routes.route(
    "GET",
    "/v1/events/stream",
    Scope.ANALYTICS,
    Scope.AUDITOR,
    headers=(LAST_EVENT_ID,),
    problems=(HTTPStatus.CONFLICT,),
    query=EventStreamQuery,
    response_headers=("Store-Epoch",),
)
def stream_events(query: dict[str, Any]) -> Response:
    """Stream events as server-sent events.

    Each message has the event's position as `id`, its type as `event`, and its CloudEvents envelope as `data`. With
    `named=false` there is no `event`: a browser then delivers messages of all types to `onmessage`. To resume an
    interrupted stream, send the last `id` as `Last-Event-ID` or as `after`. Without either, the stream begins with the
    first event. An `id` without `data` is the position up to which `event_types` excluded all events. An idle stream
    sends a line with `:` every second. The number of streams is limited; beyond it the response is 503.
    """
    feed_filter = _feed_filter(query)
    after = _last_event_id() if "Last-Event-ID" in request.headers else query["after"]
    with ExitStack() as resources:
        resources.enter_context(_waiting_slot())
        resources.enter_context(service().queries.event_tail.watched())
        service().queries.events.require_reached(after, query["epoch"])
        first_page = service().queries.events.page(after, STREAM_PAGE_SIZE, feed_filter)
        encode = _encode_named_event if query["named"] else _encode_unnamed_event
        messages = _stream_messages(service(), api_key(), first_page, after, feed_filter, encode)
        headers = {"X-Accel-Buffering": "no", **_epoch_header(first_page)}
        response = Response(messages, content_type=EVENT_STREAM, headers=headers)
        response.call_on_close(resources.pop_all().close)
    return response


def _page_response(feed_filter: FeedFilter, query: dict[str, Any]) -> Response:
    service().queries.events.require_reached(query["after"], query["epoch"])
    page = service().queries.events.page(query["after"], query["limit"], feed_filter)
    if not page.items and query["wait"]:
        page = _wait_for_page(page, query["limit"], feed_filter, query["wait"])
        authenticate()  # the key may have been revoked during the wait
    body = {
        "items": page.items,
        "has_more": page.more,
        "next_cursor": str(page.position) if page.more else None,
        "next_after": page.position,
    }
    return json_response(PAGE.to_json(body), headers=_epoch_header(page))


def _wait_for_page(page: FeedPage, limit: int, feed_filter: FeedFilter, seconds: float) -> FeedPage:
    """Wait for a page with events, and return it, or an empty page at the timeout."""
    deadline, epoch = time.monotonic() + seconds, page.epoch
    tail = service().queries.event_tail
    with _waiting_slot(), tail.watched():
        while not page.items and (remaining := deadline - time.monotonic()) > 0:
            if not page.more and not tail.wait_beyond(page.position, remaining):
                break
            page = service().queries.events.page(page.position, limit, feed_filter)
            if page.epoch != epoch:
                raise StoreWentBack(page.epoch, None)
    return page


def _stream_messages(  # noqa: PLR0913, PLR0917  # what to stream, to whom, and how
    service: Service,
    key: ApiKey,
    page: FeedPage,
    after: int,
    feed_filter: FeedFilter,
    encode: Callable[[dict[str, Any]], bytes],
) -> Iterator[bytes]:
    """Yield events until the client disconnects, its key is revoked, or the process shuts down."""
    yield RECONNECT
    try:
        while not service.queries.event_tail.ended and service.commands.api_keys.is_active(key.api_key_id):
            yield _encode_page(page, after, encode)
            if not page.more:
                service.queries.event_tail.wait_beyond(page.position, IDLE_CHECK_SECONDS)
            after, epoch = page.position, page.epoch
            page = service.queries.events.page(after, STREAM_PAGE_SIZE, feed_filter)
            if page.epoch != epoch:  # the client reconnects, and gets the problem
                return
    except ServiceError as error:  # the client reconnects, and resumes at the same position
        log.warning("events.stream_ended", code=error.code)


def _epoch_header(page: FeedPage) -> dict[str, str]:
    return {"Store-Epoch": str(page.epoch)} if page.epoch is not None else {}


def _encode_page(page: FeedPage, after: int, encode: Callable[[dict[str, Any]], bytes]) -> bytes:
    """Encode a page as messages. If the page ends after its last event, a final `id` has its position."""
    messages = [encode(item) for item in page.items]
    if page.position > (page.items[-1]["position"] if page.items else after):
        messages.append(f"id: {page.position}\n\n".encode())
    return b"".join(messages) or KEEP_ALIVE


def _encode_named_event(item: dict[str, Any]) -> bytes:
    return _encode_event(item, f"event: {item['type']}\n")


def _encode_unnamed_event(item: dict[str, Any]) -> bytes:
    return _encode_event(item, "")


def _encode_event(item: dict[str, Any], event_line: str) -> bytes:
    data = json.dumps(item, separators=(",", ":"))
    return f"id: {item['position']}\n{event_line}data: {data}\n\n".encode()


@contextmanager
def _waiting_slot() -> Iterator[None]:
    """Hold one of the slots for waiting clients. Raises the problem `too-many-streams`."""
    slots: threading.BoundedSemaphore = current_app.extensions["subusers-waiting-slots"]
    if not slots.acquire(blocking=False):
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too-many-streams",
            "Too many clients are waiting for events. Try again later, or read pages without `wait`.",
            headers={"Retry-After": "5"},
        )
    try:
        yield
    finally:
        slots.release()


def _feed_filter(query: dict[str, Any], account_id: UUID | None = None) -> FeedFilter:
    return FeedFilter(frozenset(query["event_types"]) if "event_types" in query else None, account_id)


def _last_event_id() -> int:
    try:
        return parse_position(request.headers["Last-Event-ID"])
    except ValueError:
        raise unprocessable({"Last-Event-ID": ["must be a position from an earlier event"]}) from None
