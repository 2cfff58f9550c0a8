"""TCP ports on the loopback interface."""

from __future__ import annotations

import socket

from adapters.embedded_postgres.session import HOST


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
    return port


def is_free(port: int) -> bool:
    """Return whether a server can listen on a port."""
    with socket.socket() as listener:
        # As PostgreSQL does, so that connections in TIME_WAIT from the last run do not matter.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True
