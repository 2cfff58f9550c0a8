"""A wire between a client and a server that tests can hold, cut and encrypt."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


class Wire:
    """Passes on what comes from either side; what the server says can be held back. `connections` counts them."""

    def __init__(self, server: tuple[str, int], tls: ssl.SSLContext | None) -> None:
        self._server = server
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._flows = threading.Event()
        self._flows.set()
        self._sockets: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._thread = threading.Thread(target=self._accept, name="wire", daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Keep back what the server says, until `release`."""
        self._flows.clear()

    def release(self) -> None:
        """Pass on what was held back."""
        self._flows.set()

    def cut(self) -> None:
        """End every connection, both ways."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets.clear()

    def close(self) -> None:
        """Accept no more, and end what there is."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.release()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._pass_on, args=[client], daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        try:
            near = self._tls.wrap_socket(client, server_side=True) if self._tls is not None else client
        except OSError:  # the client did not like the certificate
            client.close()
            return
        far = socket.create_connection(self._server)
        self._sockets += [near, far]
        threading.Thread(target=self._copy, args=[far, near, self._flows], daemon=True).start()
        self._copy(near, far, None)

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket, flows: threading.Event | None) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if flows is not None:
                    flows.wait()
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire_to(url: str, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """Lend a wire to the server at a URL; with `tls`, the client's end of it is encrypted."""
    parts = urlsplit(url)
    wire = Wire((parts.hostname or "", parts.port or 5672), tls)
    try:
        yield wire
    finally:
        wire.close()
