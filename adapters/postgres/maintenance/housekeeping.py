"""Deletion of expired rows: sessions, responses, links, challenges, devices, login failures, webhook deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from datetime import datetime

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.maintenance", "housekeeping")


def delete_expired(database: PostgresDatastore, now: datetime) -> int:
    """Delete a bounded number of expired rows from each table, and return the number deleted."""
    with database.get_connection() as connection:
        return sum(connection.execute(statement, {"now": now}).rowcount for statement in SQL.values())
