"""Ports on the loopback interface."""

from __future__ import annotations

import socket

from adapters.embedded_postgres.session import HOST


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
    return port


def is_free(port: int) -> bool:
    """Tell whether a server can listen on the port."""
    with socket.socket() as listener:
        # As PostgreSQL does: connections that linger from its last run are no hindrance.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True
