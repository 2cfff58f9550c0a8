"""Clears away what has had its time: ended sessions, old answers, unused links, forgotten failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections.statements import statements

if TYPE_CHECKING:
    from datetime import datetime

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres", "housekeeping")


def clear_away(database: PostgresDatastore, now: datetime) -> int:
    """Delete a bounded number of rows that nothing reads any more, and return how many."""
    with database.get_connection() as connection:
        return sum(connection.execute(statement, {"now": now}).rowcount for statement in SQL.values())
