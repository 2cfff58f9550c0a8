"""Parser of a connection's requests: checks their framing and limits their sizes."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

import httptools

from api.server.limits import (
    MAX_BODY_PIECES,
    MAX_FRAMING_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_UNPARSED_BYTES,
    PARSE_CHUNK_BYTES,
)
from api.server.refusals import BAD_REQUEST, BODY_TOO_LARGE, EXPECTATION_FAILED, HEAD_TOO_LARGE
from api.server.wsgi import Request, has_repeated_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.server.limits import Limits
    from api.server.refusals import Refusal

VERSIONS = frozenset({"1.0", "1.1"})


class RequestParser:
    """Turns received data into requests. httptools calls the methods `on_…`.

    `requests` are the complete requests in their order, each with whether the client keeps the connection open.
    `refusal` applies to the request after them, and ends the parsing. `count_buffered` gets each change of the number
    of buffered bytes; it may call `discard`.
    """

    __slots__ = (
        "_arrived_at",
        "_body",
        "_body_pieces",
        "_client",
        "_count_buffered",
        "_head_bytes",
        "_header_count",
        "_headers",
        "_is_discarding",
        "_keeps_body",
        "_limits",
        "_parser",
        "_received_bytes",
        "_target",
        "_unparsed",
        "expects_continue",
        "is_in_body",
        "is_in_request",
        "refusal",
        "requests",
    )

    def __init__(self, limits: Limits, client: tuple[str, int], count_buffered: Callable[[int], object]) -> None:
        self.requests: deque[tuple[Request, bool]] = deque()
        self.refusal: Refusal | None = None
        self.is_in_request = False
        self._limits = limits
        self._client = client
        self._count_buffered = count_buffered
        self._unparsed = bytearray()
        self._is_discarding = False
        self._parser = httptools.HttpRequestParser(self)
        self._begin_request()

    @property
    def buffered_bytes(self) -> int:
        """Bytes of the unfinished body."""
        return len(self._body)

    @property
    def has_data(self) -> bool:
        """Whether received data still needs a response."""
        return bool(self.requests or self.refusal or self._unparsed or self.is_in_request)

    @property
    def is_full(self) -> bool:
        """Whether no more data should be received for now."""
        return len(self._unparsed) > MAX_UNPARSED_BYTES

    def receive(self, data: bytes) -> None:
        """Add received data."""
        self._unparsed += data

    def parse(self) -> None:
        """Parse received data until there is a complete request or a refusal.

        Parse the rest after the response, so that a client that pipelines many requests occupies little memory.
        """
        while self._unparsed and not self.requests and self.refusal is None and not self._is_discarding:
            piece = bytes(self._unparsed[:PARSE_CHUNK_BYTES])
            del self._unparsed[:PARSE_CHUNK_BYTES]
            self._parse(piece)

    def discard(self) -> None:
        """Discard the unfinished request and all further ones."""
        self._is_discarding = True
        self._release_body()

    # Called by httptools.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._begin_request()
        self.is_in_request = True

    def on_url(self, url: bytes) -> None:
        """Add a piece of the target."""
        self._count_head(len(url))
        self._target += url

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """Add a header. Drop a trailer field: it would pass for a header that was checked (RFC 9110, 6.5.1)."""
        self._count_head(len(name) + len(value or b"") + len(": \r\n"))
        self._header_count += 1
        if self._header_count > MAX_HEADERS:
            self._refuse(HEAD_TOO_LARGE)
        elif not self.is_in_body:
            self._headers.append((name.lower(), value or b""))

    def on_headers_complete(self) -> None:
        """Check the head before buffering the body."""
        self._arrived_at = time.monotonic()
        self.is_in_body = True
        headers = dict(self._headers)
        if self._parser.get_http_version() not in VERSIONS or not self._has_valid_framing(headers):
            self._refuse(BAD_REQUEST)
        elif int(headers.get(b"content-length", b"0")) > self._limits.body_bytes:
            self._refuse(BODY_TOO_LARGE)
        elif b"expect" in headers:
            if headers[b"expect"].lower() == b"100-continue":
                self.expects_continue = True
            else:
                self._refuse(EXPECTATION_FAILED)
        self._keeps_body = (
            b"authorization" in headers or b"cookie" in headers or not self._target.startswith(b"/v1/")
        )  # the application refuses API requests without a key in any case

    def on_body(self, body: bytes) -> None:
        """Buffer a piece of the body."""
        self._body_pieces += 1
        if self.refusal is not None:
            return
        if len(self._body) + len(body) > self._limits.body_bytes or self._body_pieces > MAX_BODY_PIECES:
            self._refuse(BODY_TOO_LARGE)
        elif self._keeps_body and not self._is_discarding:
            self._body += body
            self._count_buffered(len(body))

    def on_message_complete(self) -> None:
        """Queue the request."""
        self.is_in_request = self.is_in_body = False
        if self.refusal is not None or self._is_discarding:
            return
        path, _, query = bytes(self._target).partition(b"#")[0].partition(b"?")
        request = Request(
            self._parser.get_method().decode("ascii"),
            path,
            query,
            self._parser.get_http_version(),
            self._headers,
            self._arrived_at,
            self._client,
            bytes(self._body),
        )
        self._release_body()
        self.requests.append((request, self._parser.should_keep_alive()))

    def _parse(self, data: bytes) -> None:
        upgraded = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # To HTTP/2 or WebSocket. The upgrade is ignored, as RFC 9110 (7.8) allows, and the connection then closes.
            upgraded = True
        except httptools.HttpParserError:
            self._refuse(BAD_REQUEST)
        if upgraded and self.requests:
            self.requests[-1] = (self.requests[-1][0], False)
        if not self.requests:  # else some of the data belongs to a complete request
            self._limit_received_bytes(len(data))

    def _begin_request(self) -> None:
        self.is_in_body = False
        self._arrived_at = 0.0
        self._target = bytearray()
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._body_pieces = 0
        self._header_count = 0
        self._head_bytes = 0
        self._received_bytes = 0
        self.expects_continue = False
        self._keeps_body = True

    def _count_head(self, size: int) -> None:
        """Limit the parsed head and trailer, however the network has divided them."""
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HEAD_TOO_LARGE)

    def _limit_received_bytes(self, size: int) -> None:
        """Limit the bytes of an unfinished request. The parser keeps a header or trailer field until it is complete."""
        self._received_bytes += size
        if not self.is_in_body and self._received_bytes > MAX_HEAD_BYTES:
            self._refuse(HEAD_TOO_LARGE)
        elif self._received_bytes > self._limits.body_bytes + MAX_FRAMING_BYTES:
            self._refuse(BODY_TOO_LARGE)

    def _has_valid_framing(self, headers: dict[bytes, bytes]) -> bool:
        """Return whether the end and the target of the request are unambiguous (RFC 9112, 6.3)."""
        transfer = headers.get(b"transfer-encoding")
        if transfer is not None and (b"content-length" in headers or transfer.lower() != b"chunked"):
            return False
        if not headers.get(b"content-length", b"0").isdigit() or not self._target.startswith(b"/"):
            return False
        if b"host" not in headers and self._parser.get_http_version() == "1.1":
            return False
        return not has_repeated_header(self._headers)

    def _refuse(self, refusal: Refusal) -> None:
        if self.refusal is None:
            self.refusal = refusal

    def _release_body(self) -> None:
        size, self._body = len(self._body), bytearray()
        if size:
            self._count_buffered(-size)
