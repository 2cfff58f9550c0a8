"""Registration and failures of followers, in the table `followers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from psycopg import Connection

SQL = statements("projections.runtime", "follower_status")

MAX_FAILURE_LENGTH = 1000

log = structlog.get_logger(__name__)


def register_follower(name: str, connection: Connection[Any]) -> None:
    """Insert the row of a follower, at position 0, unless it exists."""
    connection.execute(SQL["register_follower"], {"name": name})


def record_failure(name: str, connection: Connection[Any], position: int, error: Exception) -> None:
    """Record the event that stopped a follower, and the reason."""
    log.error("follower.stopped", follower=name, position=position, error=str(error))
    # PostgreSQL text takes neither NUL bytes nor lone surrogates.
    failure = str(error)[:MAX_FAILURE_LENGTH].replace("\x00", "").encode(errors="replace").decode()
    connection.execute(SQL["record_failure"], {"name": name, "position": position, "failure": failure})
