"""Webhook receiver whose responses the test chooses."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from standardwebhooks import Webhook

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    Response = Callable[[socket.socket], None]


@dataclass(frozen=True)
class ReceivedRequest:
    """A webhook request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def signatures(self) -> list[str]:
        return self.headers["webhook-signature"].split(" ")

    def verified_with(self, secret: str) -> dict[str, Any]:
        """Verify the signature with this secret and return the event. Raises WebhookVerificationError."""
        event: dict[str, Any] = Webhook(secret).verify(self.body, dict(self.headers))
        return event


class Receiver:
    """Records requests. Sends the `queued_responses` first, then always `default_response`."""

    def __init__(self) -> None:
        self.received: list[ReceivedRequest] = []
        self.default_response: Response = status(204)
        self.queued_responses: list[Response] = []
        self.stopped = threading.Event()
        self.url = ""

    @property
    def ids(self) -> list[str]:
        """The event ids, in order of arrival."""
        return [request.headers["webhook-id"] for request in list(self.received)]

    @property
    def types(self) -> list[str]:
        """The event types, in order of arrival."""
        return [request.event["type"] for request in list(self.received)]

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers["Content-Length"])
        body = request.rfile.read(length)
        if len(body) < length:  # the sender was killed
            return
        send_response = self.queued_responses.pop(0) if self.queued_responses else self.default_response
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(ReceivedRequest(request.path, headers, body))
        with suppress(OSError):
            send_response(request.connection)


def status(code: int, *headers: str) -> Response:
    """Return a response with this status and no body."""
    lines = "".join(f"{header}\r\n" for header in headers)
    return raw(f"HTTP/1.1 {code} Status\r\nContent-Length: 0\r\n{lines}\r\n".encode())


def raw(data: bytes) -> Response:
    """Return a response of these raw bytes, after which the connection closes."""
    return lambda connection: connection.sendall(data)


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver on localhost, with TLS if a context is given."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.handle(self)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            pass  # the sender may be gone: some tests kill it

    with Server(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        receiver.url = f"{'http' if context is None else 'https'}://localhost:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.stopped.set()
            server.shutdown()
            thread.join()
