"""An HTTP/1.1 connection in the event loop, from request to response, under deadlines."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from enum import Enum, auto
from typing import TYPE_CHECKING, cast

import structlog

from api.server.lanes import Lane, lane_of
from api.server.limits import LINGER_SECONDS
from api.server.refusals import INTERNAL_ERROR, OVERLOADED, TOO_SLOW, refusal_response
from api.server.request_parser import RequestParser
from api.server.response_writer import ResponseWriter, response_head
from api.server.streamed_response import StreamedResponse, close_stream
from api.server.worker_pool import Job
from api.server.wsgi import call
from application.request_deadlines import request_deadline

if TYPE_CHECKING:
    from api.server.http_server import HttpServer
    from api.server.refusals import Refusal
    from api.server.wsgi import Request, Response, Stream

NEVER = float("inf")

log = structlog.get_logger(__name__)


class State(Enum):
    """State of a connection."""

    IDLE = auto()
    READING_HEAD = auto()
    READING_BODY = auto()
    RUNNING = auto()
    """The request is queued or running, or its response is delayed."""

    STREAMING = auto()
    CLOSING = auto()


class Connection(asyncio.Protocol):
    """A client's connection. Only the event loop's thread uses it, except for `_run`."""

    __slots__ = (
        "_client_closed",
        "_is_last_response",
        "_parser",
        "_running_request",
        "_server",
        "_streamed_response",
        "_transport",
        "_writer",
        "client",
        "client_group",
        "deadline",
        "response_count",
        "state",
        "waiting_since",
    )

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._running_request: Request | None = None
        self._streamed_response: StreamedResponse | None = None
        self._client_closed = False
        self._is_last_response = False
        self.client_group = ""
        self.response_count = 0
        self.state = State.IDLE
        self.waiting_since = time.monotonic()
        self.deadline = self.waiting_since + server.limits.head_seconds

    @property
    def is_evictable(self) -> bool:
        """Whether the connection may be closed for another one, without losing a complete request."""
        return self.state in {State.IDLE, State.READING_HEAD, State.READING_BODY}

    @property
    def buffered_bytes(self) -> int:
        """Bytes of the unfinished body."""
        return self._parser.buffered_bytes

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection, or abort it if the client has too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._writer = ResponseWriter(self._transport)
        peer = transport.get_extra_info("peername") or ("", 0)
        self.client = (peer[0], peer[1])
        self._parser = RequestParser(
            self._server.limits, self.client, lambda size: self._server.add_buffered(self, size)
        )
        if not self._server.register(self):
            self.state, self.deadline = State.CLOSING, NEVER
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the protocol's signature
        """Unregister the connection, and release what it holds."""
        self._enter_closing(NEVER)
        self._parser.requests.clear()
        self._server.unregister(self)

    def data_received(self, data: bytes) -> None:
        """Parse received data, or buffer it until the running request has been answered."""
        if self.state is State.CLOSING:
            return
        self._parser.receive(data)
        if self.state not in {State.RUNNING, State.STREAMING} and not self._writer.is_paused:
            self._read_request()
        self._regulate_reading()

    def eof_received(self) -> bool:
        """Answer complete requests before closing; abort a stream."""
        self._client_closed = True
        return self.state is State.RUNNING or (self.state is State.IDLE and self._parser.has_data)

    def pause_writing(self) -> None:
        """Start the deadline for the client to read."""
        self._writer.is_paused = True
        self._await_reader(time.monotonic())

    def resume_writing(self) -> None:
        """Continue with the stream or the next request."""
        self._writer.is_paused = False
        if self._streamed_response is not None:
            self.deadline = NEVER
            self._streamed_response.produce_next()
        elif self.state is State.IDLE:
            self._await_request()

    # Called by the server.

    def check_deadline(self, now: float) -> None:
        """Act if a deadline has passed."""
        if now < self.deadline:
            return
        if self._writer.is_paused:
            if self._writer.has_progressed:
                self._await_reader(now)
            else:
                self._server.count_slow_reader()
                self.abort()
        elif self.state in {State.READING_HEAD, State.READING_BODY}:
            self.refuse(TOO_SLOW)
        elif self.state is State.CLOSING:
            self._transport.abort()
        else:
            self.close()

    def refuse(self, refusal: Refusal) -> None:
        """Respond without the application, and close after the client has had time to read the response."""
        self._server.count_refusal(refusal)
        self._is_last_response = True
        response = refusal_response(refusal)
        self._writer.write(self._head(response, "1.1") + response.body)
        self._linger()

    def close(self) -> None:
        """Close after everything has been written, within a deadline."""
        if self.state is not State.CLOSING:
            self._enter_closing(time.monotonic() + self._server.limits.write_seconds)
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._enter_closing(NEVER)
        self._transport.abort()

    def stop(self) -> None:
        """Close after the running request, or at once if there is none."""
        self._is_last_response = True
        if self.is_evictable:
            self.close()

    # Reading.

    def _await_request(self) -> None:
        """Continue with received data, or wait for the next request."""
        if self._parser.has_data:
            self._read_request()
        else:
            self.deadline = time.monotonic() + self._server.limits.keep_alive_seconds
        self._regulate_reading()

    def _read_request(self) -> None:
        """Start the next request, or set the deadline for the rest of it."""
        if self.state is State.IDLE:
            self.state = State.READING_HEAD
            self.waiting_since = time.monotonic()
        self._parser.parse()
        if self.state is State.CLOSING:
            return
        if self._parser.requests:
            self._start_next()
        elif self._parser.refusal is not None:
            self.refuse(self._parser.refusal)
        elif self._client_closed:
            self.close()
        elif self._parser.is_in_body:
            self.state = State.READING_BODY
            self.deadline = self.waiting_since + self._server.limits.request_seconds
            if self._parser.expects_continue:
                self._parser.expects_continue = False
                self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        else:
            self.deadline = self.waiting_since + self._server.limits.head_seconds

    def _regulate_reading(self) -> None:
        """Read no more from a client that sends requests faster than they are answered."""
        should_read = not self._parser.is_full
        if self.state is State.CLOSING or should_read == self._transport.is_reading():
            return
        if should_read:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    # Running the application.

    def _start_next(self) -> None:
        """Give the next request to the pool of its lane."""
        request, keep_alive = self._parser.requests.popleft()
        self._is_last_response = self._is_last_response or not keep_alive
        self.state, self.deadline = State.RUNNING, NEVER
        lane = lane_of(request.method, request.decoded_path, request.query.decode("latin-1"))
        self._running_request = request
        started_at = time.monotonic()
        job = Job(lambda: self._run(request, lane, started_at), lambda: self._answer_overload(request))
        if not self._server.pools[lane].submit(job):
            self._server.call_soon(self._answer_overload, request)  # not at once: it may start the next request

    def _run(self, request: Request, lane: Lane, started_at: float) -> None:
        """Run the application, in a thread of a pool, under the request deadline; requests for events have none."""
        server = self._server
        try:
            with nullcontext() if lane is Lane.EVENTS else request_deadline(started_at):
                response = call(server.app, request.environ(server.address))
        except Exception:
            log.exception("request.crashed")
            response = refusal_response(INTERNAL_ERROR)
        server.call_soon(self._respond, request, response, Lane.EVENTS if lane is Lane.EVENTS else Lane.DOWNLOADS)

    def _answer_overload(self, request: Request) -> None:
        self._server.count_refusal(OVERLOADED)
        self._respond(request, refusal_response(OVERLOADED), Lane.DOWNLOADS)

    def _respond(self, request: Request, response: Response, stream_lane: Lane) -> None:
        """Send a response, now or at its `respond_at`."""
        if response.respond_at and response.respond_at > time.monotonic():
            self._server.call_at(response.respond_at, self._respond, request, response, stream_lane)
        elif self.state is State.CLOSING or self._running_request is not request:  # the client has gone
            if response.stream is not None:
                close_stream(response.stream, self._server.pools[stream_lane])
        elif response.stream is not None:
            self._running_request = None
            self._begin_stream(request, response, response.stream, stream_lane)
        else:
            self._running_request = None
            body = b"" if request.method == "HEAD" else response.body
            self._writer.write(self._head(response, request.version) + body)
            self._end_response()

    def _begin_stream(self, request: Request, response: Response, stream: Stream, lane: Lane) -> None:
        self.state = State.STREAMING
        is_chunked = request.version == "1.1"
        if is_chunked:
            response.headers.append(("Transfer-Encoding", "chunked"))
        else:
            self._is_last_response = True
        self._writer.write(self._head(response, request.version))
        self._streamed_response = StreamedResponse(
            stream,
            self._server.pools[lane],
            self._writer,
            self._server.call_soon,
            is_chunked=is_chunked,
            on_complete=self._end_response,
            on_failure=self.abort,  # so that the client detects an incomplete response
        )
        self._streamed_response.produce_next()

    def _head(self, response: Response, version: str) -> bytes:
        self._is_last_response = self._is_last_response or self._server.is_stopping
        return response_head(response, version, self._server.date_line, is_last=self._is_last_response)

    def _end_response(self) -> None:
        """Continue with the next request, or close."""
        self._streamed_response = None
        self.response_count += 1
        if self._is_last_response and self._parser.has_data:
            self._linger()
        elif self._is_last_response or (self._client_closed and not self._parser.has_data):
            self.close()
        else:
            self.state = State.IDLE
            self.waiting_since = time.monotonic()
            if not self._writer.is_paused:
                self._await_request()

    # Closing.

    def _await_reader(self, now: float) -> None:
        self._writer.start_measuring()
        self.deadline = now + self._server.limits.write_seconds

    def _linger(self) -> None:
        """Close after `LINGER_SECONDS`, ignoring further data."""
        self._enter_closing(time.monotonic() + LINGER_SECONDS)
        if self._client_closed or not self._transport.can_write_eof():
            self._transport.close()
        else:
            self._transport.resume_reading()
            self._transport.write_eof()

    def _enter_closing(self, deadline: float) -> None:
        self.state, self.deadline = State.CLOSING, deadline
        self._parser.discard()
        if self._streamed_response is not None:
            self._streamed_response.release()
            self._streamed_response = None
