"""Leader lock of a follower.

Several processes can run the same follower. The one that holds its leader lock applies events, the others wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import scalar_row

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    import threading

    from psycopg import Connection

SQL = statements("projections.runtime", "leader_lock")

LEADER_CHECK_SECONDS = 1.0


def wait_for_leader_lock(follower: str, connection: Connection[Any], stop: threading.Event) -> bool:
    """Wait for the leader lock, and return whether it was acquired before `stop` was set.

    The lock is released when the connection closes.
    """
    while not _try_lock(follower, connection):
        if stop.wait(LEADER_CHECK_SECONDS):
            return False
    return True


def _try_lock(follower: str, connection: Connection[Any]) -> bool:
    cursor = connection.cursor(row_factory=scalar_row)
    return bool(cursor.execute(SQL["try_leader_lock"], {"name": follower}).fetchone())
