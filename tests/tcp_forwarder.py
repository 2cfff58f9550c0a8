"""TCP forwarder between a service and its database that can switch targets or stall."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

CHUNK_BYTES = 65536
POLL_SECONDS = 0.05


class Forwarder:
    """Forwards connections to a local port. One thread forwards all data."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=500)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._peers: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self._closing = True
        self._flowing.set()
        self._thread.join()
        self._cut_all()
        self._listener.close()
        self._selector.close()

    def url(self, database_url: str) -> str:
        """Return a database URL with the address of this forwarder."""
        parts = urlsplit(database_url)
        credentials, _, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{credentials}@127.0.0.1:{self.port}").geturl()

    def retarget(self, port: int) -> None:
        """Forward to another port from now on, and close the current connections."""
        with self._lock:
            self._target = port
            self._cut_all()

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Hold back all data for the duration of the block; connections stay open."""
        self._flowing.clear()
        with self._lock:
            pass  # wait for data that is being forwarded
        try:
            yield
        finally:
            self._flowing.set()

    def _run(self) -> None:
        while not self._closing:
            self._flowing.wait()
            ready = self._selector.select(POLL_SECONDS)
            with self._lock:
                for key, _ in ready:
                    if self._flowing.is_set():
                        self._serve(key.fileobj)  # type: ignore[arg-type]  # only sockets are registered

    def _serve(self, ready: socket.socket) -> None:
        if ready is self._listener:
            self._accept()
        elif ready in self._peers:
            data = b""
            with suppress(OSError):
                data = ready.recv(CHUNK_BYTES)
                self._peers[ready].sendall(data)
            if not data:
                self._cut(ready)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.setblocking(True)
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for source, destination in ((client, server), (server, client)):
            self._peers[source] = destination
            self._selector.register(source, selectors.EVENT_READ)

    def _cut(self, connection: socket.socket) -> None:
        peer = self._peers.pop(connection)
        del self._peers[peer]
        for end in (connection, peer):
            self._selector.unregister(end)
            end.close()

    def _cut_all(self) -> None:
        while self._peers:
            self._cut(next(iter(self._peers)))
