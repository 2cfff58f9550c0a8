"""Loop that runs a follower in one process at a time, and reconnects after a lost connection.

A follower is the loop that applies events to one projection, or that publishes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from adapters.postgres.sqlstates import describe
from application.errors import StoreUnavailable
from projections.runtime.follower_status import register_follower
from projections.runtime.leader_lock import wait_for_leader_lock

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from psycopg import Connection

INITIAL_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 2.0
"""Short, because reads wait only a few seconds for a view: it must catch up soon after the database is back."""

DISCONNECTED = (psycopg.OperationalError, psycopg.InterfaceError, StoreUnavailable)
"""Errors that mean the database is unreachable. They say nothing about the event being applied."""

log = structlog.get_logger(__name__)


def run_as_leader(
    name: str,
    connect: Callable[[], Connection[Any]],
    stop: threading.Event,
    follow: Callable[[Connection[Any], threading.Event], None],
) -> None:
    """Run `follow` whenever this process holds the follower's leader lock, until `stop` is set.

    `follow` receives the connection that holds the lock.
    """
    backoff = INITIAL_BACKOFF_SECONDS
    while not stop.is_set():
        try:
            with connect() as connection:
                backoff = INITIAL_BACKOFF_SECONDS
                register_follower(name, connection)
                if wait_for_leader_lock(name, connection, stop):
                    log.info("follower.leads", follower=name)
                    follow(connection, stop)
        except DISCONNECTED as error:
            log.warning("follower.disconnected", follower=name, **describe(error))
            stop.wait(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
