"""A wire between a client and a server that tests can hold, cut, shut and encrypt."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

LOOK_SECONDS = 0.05
"""How often a connection sees whether it is held or shut."""


class Wire:
    """Passes on what comes from either side; what the server says can be held back.

    Each connection has one thread, which alone touches its sockets: whatever ends one harms no other. `connections`
    counts them, and `said` is the end of what clients have said.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 5672)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held = False
        self._shut = False
        self._cut_after: int | None = None
        self._connected: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.port}").geturl()
        self.connections = 0
        self.said = b""
        self._thread = threading.Thread(target=self._accept, name="wire", daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Keep back what the server says, until `release`."""
        self._held = True

    def release(self) -> None:
        """Pass on what was held back."""
        self._held = False

    def shut(self) -> None:
        """End every connection, and whatever comes, until `open`: to its clients the server is gone."""
        self._shut = True
        for one in list(self._connected):
            one.join()

    def open(self) -> None:
        """Have the server back."""
        self._shut = False

    def cut_after(self, size: int) -> None:
        """End the connection whose client says so many bytes more, as soon as it has."""
        self._cut_after = size

    def close(self) -> None:
        """Accept no more. A connection ends with either of its sides."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                self._connected.append(threading.Thread(target=self._connect, args=[client], daemon=True))
                self._connected[-1].start()

    def _connect(self, client: socket.socket) -> None:
        try:
            near = self._tls.wrap_socket(client, server_side=True) if self._tls is not None else client
        except OSError:  # the client did not like the certificate
            client.close()
            return
        with near, socket.create_connection(self._server) as far, suppress(OSError):
            while not self._shut and self._pass_on(near, far):
                pass

    def _pass_on(self, near: socket.socket, far: socket.socket) -> bool:
        """Pass on what has come; return False where the connection is over."""
        readable, _, _ = select.select([near] if self._held else [near, far], [], [], LOOK_SECONDS)
        for source in readable:
            data = source.recv(65536)  # more than TLS packs together: nothing is left that `select` does not see
            if not data or (source is near and self._is_to_be_cut(data)):
                return False
            if source is near:
                self.said = (self.said + data)[-1000:]
            (far if source is near else near).sendall(data)
        return True

    def _is_to_be_cut(self, data: bytes) -> bool:
        if self._cut_after is None:
            return False
        self._cut_after -= len(data)
        if self._cut_after > 0:
            return False
        self._cut_after = None
        return True


@contextmanager
def wire_to(url: str, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """Lend a wire to the server at a URL; with `tls`, the client's end of it is encrypted."""
    wire = Wire(url, tls)
    try:
        yield wire
    finally:
        wire.close()
