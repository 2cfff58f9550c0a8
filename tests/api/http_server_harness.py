"""Test harness for the HTTP server: runs it in a thread of the test's process, with raw client connections."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvloop

from api.runtime.heartbeats import Heartbeats
from api.server.http_server import HttpServer
from api.server.lanes import Lane, LaneLimits
from api.server.limits import Limits
from tests.waiting import TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.types import WSGIApplication

    from api.runtime.heartbeats import Heartbeat

LIMITS = Limits(connections=200, connections_per_client=200)
LANES = dict.fromkeys(Lane, LaneLimits(threads=2, queue_limit=64, queue_seconds=30.0))


@dataclass(frozen=True)
class Response:
    """A response read from the socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A raw client connection."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS, source_address=(source, 0))
        self.file = self.socket.makefile("rb")

    def send(self, text: str | bytes) -> None:
        self.socket.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))

    def get(self, path: str, *headers: str) -> Response:
        self.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]))
        return self.read_response()

    def read_response(self, *, head_only: bool = False) -> Response:
        """Read a response; with `head_only`, do not read a body."""
        status = int(self.file.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self.file.readline().strip().decode("latin-1"):
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        if head_only or status in {100, 204, 304}:
            return Response(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Response(status, headers, b"".join(self.chunks()))
        return Response(status, headers, self.file.read(int(headers["content-length"])))

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.file.readline(), 16):
            yield self.file.read(size)
            self.file.readline()
        self.file.readline()

    def wait_until_closed(self) -> bool:
        """Wait until the server closes the connection or sends more; return whether it was closed."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@dataclass(frozen=True)
class RunningServer:
    """HTTP server running in this process, with its event loop."""

    port: int
    server: HttpServer
    heartbeat: Heartbeat
    loop: asyncio.AbstractEventLoop

    def stop(self) -> None:
        """Stop accepting connections, and wait for running requests."""
        asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result(TIMEOUT_SECONDS)

    @contextmanager
    def client(self, source: str = "127.0.0.1") -> Iterator[Client]:
        """Open a connection for the duration of the block."""
        with closing(Client(self.port, source)) as client:
            yield client

    def get(self, path: str) -> Response:
        """Send a GET on a new connection, and return the response."""
        with self.client() as client:
            return client.get(path)


@contextmanager
def serving(
    app: WSGIApplication, limits: Limits = LIMITS, lanes: dict[Lane, LaneLimits] | None = None
) -> Iterator[RunningServer]:
    """Run a server until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    heartbeat = Heartbeats(1).heartbeat_of(0)
    running_servers: list[RunningServer] = []
    stop_events: list[asyncio.Event] = []
    started = threading.Event()

    async def run() -> None:
        stop_requested = asyncio.Event()
        server = HttpServer(app, listener, limits, {**LANES, **(lanes or {})}, heartbeat)
        server.tick()
        server.accept_connections()
        running_servers.append(RunningServer(listener.getsockname()[1], server, heartbeat, asyncio.get_running_loop()))
        stop_events.append(stop_requested)
        started.set()
        await stop_requested.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: uvloop.run(run()), name="server")
    thread.start()
    try:
        assert started.wait(TIMEOUT_SECONDS)
        yield running_servers[0]
    finally:
        running_servers[0].loop.call_soon_threadsafe(stop_events[0].set)
        thread.join()
        listener.close()
