"""Time limits against real sockets that are slow in each way."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from subusers_client import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT = 1.0
TOLERANCE = 0.3
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


def never(_connection: socket.socket, ended: threading.Event) -> None:
    ended.wait(10)


def after_head(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(HEAD)
    ended.wait(10)


def byte_by_byte(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(HEAD)
    while not ended.wait(0.1):
        connection.sendall(b" ")


@pytest.fixture
def slow_server() -> Iterator[Callable[[Callable[[socket.socket, threading.Event], None]], str]]:
    """Return a function that starts a server with this behaviour and returns its URL."""
    ended = threading.Event()
    listeners = []

    def serve(listener: socket.socket, behave: Callable[[socket.socket, threading.Event], None]) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=handle, args=[connection, behave], daemon=True).start()

    def handle(connection: socket.socket, behave: Callable[[socket.socket, threading.Event], None]) -> None:
        with connection, suppress(OSError):
            behave(connection, ended)

    def start(behave: Callable[[socket.socket, threading.Event], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=[listener, behave], daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    ended.set()
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize("behave", [never, after_head, byte_by_byte])
def test_a_slow_service_is_unavailable_in_time(caller: Any, slow_server: Any, behave: Any) -> None:
    client = caller.connect(slow_server(behave), introspection_time_limit=LIMIT)
    started_at = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        caller.call(client.sessions.introspect(token="token"))
    assert time.monotonic() - started_at < LIMIT + TOLERANCE


def test_a_closed_port_is_unavailable_in_time(caller: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    started_at = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        caller.call(caller.connect(url, introspection_time_limit=LIMIT).sessions.introspect(token="token"))
    assert time.monotonic() - started_at < LIMIT + TOLERANCE


def test_the_default_limit_of_a_session_check_is_five_seconds(caller: Any) -> None:
    settings = caller.connect("http://127.0.0.1:1")._transport.settings  # noqa: SLF001
    assert (settings.introspection_time_limit, settings.time_limit) == (5, 20)
