"""Reads what was used, and hands out accounts to be looked at, each to one worker at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from domain.plan import Usage
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

    from domain.plan import Period

SQL = statements("adapters.postgres", "usage_counts")
READ = statements("projections", "usage_queries")


class PostgresUsageCounts:
    """The tables of the follower `usage`."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    @contextmanager
    def due(self, today: date) -> Iterator[UUID | None]:
        """Lend an account that has changed up to this day, and keep others off it; it stays due if the block fails."""
        with self._database.get_connection() as connection, connection.transaction():
            row = connection.execute(SQL["take"], {"today": today}, prepare=True).fetchone()
            yield row["account_id"] if row is not None else None

    def used(self, account_id: UUID, period: Period) -> Usage:
        """Return what all sub-users of an account used in a period."""
        wanted = {"account_id": account_id, **vars(period)}
        with self._database.get_connection() as connection:
            row = connection.execute(READ["used"], wanted, prepare=True).fetchone()
        return Usage(**row) if row is not None else Usage()
