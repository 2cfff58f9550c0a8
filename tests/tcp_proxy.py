"""TCP proxy for tests that can hold back data, cut connections, refuse them and terminate TLS."""

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

POLL_SECONDS = 0.05
"""How often each connection checks whether the proxy is held or shut."""


class TcpProxy:
    """Forwards data in both directions; data from the server can be held back.

    One thread per connection owns its sockets, so that one failure does not affect another connection.
    `connections` counts all connections so far; `client_data` is the last data that clients sent.
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
        self.client_data = b""
        self._thread = threading.Thread(target=self._accept, name="tcp-proxy", daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Hold back data from the server until `release`."""
        self._held = True

    def release(self) -> None:
        """Forward the data that was held back."""
        self._held = False

    def shut(self) -> None:
        """Close all connections, and refuse new ones until `open`."""
        self._shut = True
        for thread in list(self._connected):
            thread.join()

    def open(self) -> None:
        """Accept connections again after `shut`."""
        self._shut = False

    def cut_after(self, size: int) -> None:
        """Close the connection whose client sends the next `size` bytes, as soon as it has sent them."""
        self._cut_after = size

    def close(self) -> None:
        """Stop accepting connections. Existing ones end when either side closes."""
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
            client_side = self._tls.wrap_socket(client, server_side=True) if self._tls is not None else client
        except OSError:  # the client rejected the certificate
            client.close()
            return
        with client_side, socket.create_connection(self._server) as server_side, suppress(OSError):
            while not self._shut and self._pass_on(client_side, server_side):
                pass

    def _pass_on(self, client_side: socket.socket, server_side: socket.socket) -> bool:
        """Forward the data that is ready; return False if the connection is over."""
        readable, _, _ = select.select(
            [client_side] if self._held else [client_side, server_side], [], [], POLL_SECONDS
        )
        for source in readable:
            # Larger than a TLS record: `select` does not see data that the TLS layer has buffered.
            data = source.recv(65536)
            if not data or (source is client_side and self._reaches_cut(data)):
                return False
            if source is client_side:
                self.client_data = (self.client_data + data)[-1000:]
            (server_side if source is client_side else client_side).sendall(data)
        return True

    def _reaches_cut(self, data: bytes) -> bool:
        if self._cut_after is None:
            return False
        self._cut_after -= len(data)
        if self._cut_after > 0:
            return False
        self._cut_after = None
        return True


@contextmanager
def tcp_proxy(url: str, tls: ssl.SSLContext | None = None) -> Iterator[TcpProxy]:
    """Yield a proxy to the server at a URL; with `tls`, clients connect to it with TLS."""
    proxy = TcpProxy(url, tls)
    try:
        yield proxy
    finally:
        proxy.close()
