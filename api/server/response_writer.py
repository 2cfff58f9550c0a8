"""Writing of responses, and measurement of how fast the client reads them."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

from api.server.limits import MIN_WRITTEN_BYTES

if TYPE_CHECKING:
    import asyncio

    from api.server.wsgi import Response


class ResponseWriter:
    """Writes to a transport, and measures how much the client reads while the transport's buffer is full."""

    __slots__ = ("_sent_at_start", "_transport", "_written", "is_paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._written = 0
        self._sent_at_start = 0
        self.is_paused = False

    def write(self, data: bytes) -> None:
        """Write data."""
        self._written += len(data)
        self._transport.write(data)

    def start_measuring(self) -> None:
        """Start to measure how much the client reads."""
        self._sent_at_start = self._sent

    @property
    def has_progressed(self) -> bool:
        """Whether the client has read enough since `start_measuring`."""
        return self._sent - self._sent_at_start >= MIN_WRITTEN_BYTES

    @property
    def _sent(self) -> int:
        """Bytes handed over to the operating system."""
        return self._written - self._transport.get_write_buffer_size()


def response_head(response: Response, version: str, date: str, *, is_last: bool) -> bytes:
    """Return the status line and the headers. `version` is the HTTP version of the request."""
    lines = [f"HTTP/1.1 {response.status}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    lines.append(date)
    if is_last:
        lines.append("Connection: close")
    elif version == "1.0":
        lines.append("Connection: keep-alive")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def date_line() -> str:
    """Return the Date header (RFC 9110, 6.6.1)."""
    return f"Date: {formatdate(usegmt=True)}"
