"""Database connections outside the pool, in autocommit mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.postgres import deadlines
from adapters.postgres.deadlines import BACKGROUND_LIMITS

if TYPE_CHECKING:
    import psycopg

    from adapters.postgres.event_store.lineage import Lineage


__all__ = [
    "BACKGROUND_LIMITS",
    "connect",
    "connect_for_maintenance",
    "connect_to_follow",
    "connect_to_notify",
    "connect_to_tail",
]


def connect_to_follow(url: str, lineage: Lineage | None = None) -> psycopg.Connection[Any]:
    """Return a connection for a follower.

    It checks first that the store was not replaced or restored (`Lineage`). The connection commits asynchronously: a
    crash of PostgreSQL can lose the latest commits, each with its rows and its position. Their events are then applied
    or published again.
    """
    connection = deadlines.connect(url, "follower", deadlines.FOLLOWER_SECONDS)
    if lineage is not None:
        lineage.check(connection)
    connection.execute("SET synchronous_commit = off")
    return connection


def connect_to_tail(url: str, lineage: Lineage) -> psycopg.Connection[Any]:
    """Return a connection for readers that wait for events.

    It checks first that the store was not replaced or restored (`Lineage`).
    """
    connection = connect(url, "event tail")
    lineage.check(connection)
    return connection


def connect_to_notify(url: str) -> psycopg.Connection[Any]:
    """Return a connection for NOTIFY. It commits asynchronously, because the events are already on disk."""
    connection = connect(url, "signals")
    connection.execute("SET synchronous_commit = off")
    return connection


def connect(url: str, purpose: str) -> psycopg.Connection[Any]:
    """Return a connection for short exchanges, with the client-side deadline of requests."""
    return deadlines.connect(url, purpose, deadlines.REQUEST_LIMITS.exchange)


def connect_for_maintenance(url: str, purpose: str) -> psycopg.Connection[Any]:
    """Return a connection for statements that may take an hour."""
    return deadlines.connect(url, purpose, deadlines.LONG_SECONDS)
