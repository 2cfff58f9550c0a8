"""WSGI bridge: runs an application on requests that have been read completely."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote_to_bytes

from api.server.response_timing import ARRIVED_AT, RESPOND_AT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

NAME_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")
"""Bytes allowed in header names. WSGI maps `X-Client-IP` and `X_Client_IP` to the same key, so a client could override
a proxy's header. Other names are dropped, as nginx does."""

UNIQUE_HEADERS = frozenset({b"host", b"content-type", b"content-length", b"authorization"})
"""Headers that a request may have only once."""

ENVIRON_KEYS = {
    name: "HTTP_" + name.decode().upper().replace("-", "_")
    for name in (
        *(b"host", b"user-agent", b"accept", b"accept-encoding", b"accept-language", b"authorization", b"connection"),
        *(b"cookie", b"if-match", b"idempotency-key", b"session-token", b"x-client-ip", b"x-client-user-agent"),
        *(b"x-forwarded-for", b"x-request-id", b"event-position", b"last-event-id", b"origin", b"referer"),
    )
}
"""Environment keys of common headers."""


class Closeable(Protocol):
    """An iterable with a `close` method (PEP 3333)."""

    def close(self) -> None:
        """Release the resources of the iteration."""


@dataclass(slots=True)
class Request:
    """A completely read request. Header names are in lower case."""

    method: str
    path: bytes
    query: bytes
    version: str
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    arrived_at: float
    client: tuple[str, int]
    body: bytes = field(default=b"", repr=False)

    def environ(self, server_address: tuple[str, int]) -> WSGIEnvironment:
        """Return the WSGI environment (PEP 3333)."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": self.decoded_path,
            "QUERY_STRING": self.query.decode("latin-1"),
            "SERVER_NAME": server_address[0],
            "SERVER_PORT": str(server_address[1]),
            "SERVER_PROTOCOL": f"HTTP/{self.version}",
            "REMOTE_ADDR": self.client[0],
            "REMOTE_PORT": str(self.client[1]),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(self.body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            ARRIVED_AT: self.arrived_at,
            RESPOND_AT: 0.0,
        }
        for name, value in self.headers:
            _add_header(environ, name, value.decode("latin-1"))
        if "HTTP_TRANSFER_ENCODING" in environ:  # the body is no longer chunked
            del environ["HTTP_TRANSFER_ENCODING"]
            environ["CONTENT_LENGTH"] = str(len(self.body))
        return environ

    @property
    def decoded_path(self) -> str:
        """The path without percent-encoding, one character per byte (PEP 3333)."""
        return (unquote_to_bytes(self.path) if b"%" in self.path else self.path).decode("latin-1")


@dataclass(slots=True)
class Response:
    """The application's response: a complete body or a stream of chunks."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes = field(default=b"", repr=False)
    stream: Stream | None = None
    respond_at: float = 0.0


class Stream:
    """The chunks of a streamed response. One thread at a time may use it."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._iterator: Iterator[bytes] = iter(chunks)
        self._chunks = chunks

    def next_chunk(self) -> bytes | None:
        """Return the next chunk that is not empty, None at the end."""
        return next((chunk for chunk in self._iterator if chunk), None)

    def close(self) -> None:
        """Release the resources of the stream."""
        _close(self._chunks)


def call(app: WSGIApplication, environ: WSGIEnvironment) -> Response:
    """Run the application, and return its response."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        del exc_info  # nothing has been sent yet, so a second call just replaces the first
        started[:] = [(status, headers)]
        return _refuse_write

    chunks = app(environ, start_response)
    try:
        ((status, headers),) = started
        if _has_known_length(environ["REQUEST_METHOD"], status, headers):
            response = Response(status, headers, b"".join(chunks))
        else:
            response = Response(status, headers, stream=Stream(chunks))
    except BaseException:
        _close(chunks)
        raise
    if response.stream is None:
        _close(chunks)
    response.respond_at = cast("float", environ[RESPOND_AT])
    return response


def has_repeated_header(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether one of `UNIQUE_HEADERS` is repeated."""
    names = [name for name, _ in headers if name in UNIQUE_HEADERS]
    return len(names) != len(set(names))


def _add_header(environ: dict[str, Any], name: bytes, value: str) -> None:
    key = ENVIRON_KEYS.get(name)
    if key is None:
        if not NAME_BYTES.issuperset(name):
            return
        key = name.decode("ascii").upper().replace("-", "_")
        if name not in {b"content-type", b"content-length"}:
            key = f"HTTP_{key}"
    if key in environ:
        value = f"{environ[key]}{'; ' if name == b'cookie' else ','}{value}"
    environ[key] = value


def _has_known_length(method: str, status: str, headers: list[tuple[str, str]]) -> bool:
    """Return whether a response has no body, or one of known length."""
    if method == "HEAD" or status[:3] in {"204", "304"}:
        return True
    return any(name.lower() == "content-length" for name, _ in headers)


def _refuse_write(_: bytes) -> object:
    """Stand for the `write` callable of PEP 3333, which Flask does not use."""
    raise NotImplementedError


def _close(chunks: object) -> None:
    if hasattr(chunks, "close"):
        cast("Closeable", chunks).close()
