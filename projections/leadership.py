"""Who follows the history under a name: one process at a time, through lost connections, failing for all to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from psycopg.rows import tuple_row

from application.errors import StoreUnavailable
from projections.statements import statements

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from psycopg import Connection

SQL = statements("projections", "follower")

LEADER_CHECK_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
"""Reads wait for a view for a few seconds: it is to be back soon after the database is."""

DISCONNECTED = (psycopg.OperationalError, psycopg.InterfaceError, StoreUnavailable)
"""What says nothing of the event at hand: the database cannot be reached just now."""

log = structlog.get_logger(__name__)


def lead(
    name: str,
    connect: Callable[[], Connection[Any]],
    stop: threading.Event,
    follow: Callable[[Connection[Any], threading.Event], None],
) -> None:
    """Have this process follow under this name whenever no other does, until told to stop.

    `follow` is given a connection that holds the lead: the lock is the connection's, and goes with it.
    """
    pause = FIRST_PAUSE_SECONDS
    while not stop.is_set():
        try:
            with connect() as connection:
                pause = FIRST_PAUSE_SECONDS
                if _comes_to_lead(name, connection, stop):
                    log.info("follower.leads", follower=name)
                    follow(connection, stop)
        except DISCONNECTED as error:
            log.warning("follower.disconnected", follower=name, error=type(error).__name__)
            stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def show_failure(name: str, connection: Connection[Any], position: int, error: Exception) -> None:
    """Write down which event stopped a follower, and why."""
    log.error("follower.stopped", follower=name, position=position, error=str(error))
    failure = str(error)[:1000].replace("\x00", "").encode(errors="replace").decode()  # as Postgres takes it
    connection.execute(SQL["fail"], {"name": name, "position": position, "failure": failure})


def _comes_to_lead(name: str, connection: Connection[Any], stop: threading.Event) -> bool:
    """Wait for the lead, and say whether it was not told to stop before."""
    connection.execute(SQL["start"], {"name": name})
    while not _leads(name, connection):
        if stop.wait(LEADER_CHECK_SECONDS):
            return False
    return True


def _leads(name: str, connection: Connection[Any]) -> bool:
    row = connection.cursor(row_factory=tuple_row).execute(SQL["lead"], {"name": name}).fetchone()
    return bool(row and row[0])
