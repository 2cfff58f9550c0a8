"""Usage counts, and the queue of accounts whose usage thresholds must be checked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from adapters.postgres.sql_files import statements
from application.ports.usage_counts import DueAccount
from domain.plan import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

    from domain.plan import Period

SQL = statements("projections.usage", "usage_counts")
USAGE_SQL = statements("projections.usage", "queries")


class PostgresUsageCounts:
    """Reads usage, and takes accounts that are due for a check, from the tables of the follower `usage`."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    @contextmanager
    def lock_due_account(self, today: date) -> Iterator[DueAccount | None]:
        """Yield an account that is due for a check by this day, or None, and lock it for the duration of the block.

        The account stays due if the block raises.
        """
        with self._database.get_connection() as connection, connection.transaction():
            rows = connection.execute(SQL["take_due_account"], {"today": today}, prepare=True).fetchall()
            yield DueAccount(rows[0]["account_id"], [row["day"] for row in rows]) if rows else None

    def total_usage(self, account_id: UUID, period: Period) -> Usage:
        """Return the usage of all sub-users of an account in a period."""
        parameters = {"account_id": account_id, **vars(period)}
        with self._database.get_connection() as connection:
            row = connection.execute(USAGE_SQL["used"], parameters, prepare=True).fetchone()
        return Usage(**row) if row is not None else Usage()
