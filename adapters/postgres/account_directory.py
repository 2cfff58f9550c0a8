"""Finds accounts by e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections.round_trips import rows_of
from projections.statements import statements

if TYPE_CHECKING:
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres", "account_directory")


class PostgresAccountDirectory:
    """The directory, in the table of that name; it is written as records."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def find(self, email_hash: str) -> UUID | None:
        """Return the account with that e-mail."""
        with self._database.get_connection() as connection:
            rows = rows_of(connection, SQL["find_account"], {"email_hash": email_hash})
        return next((account_id for (account_id,) in rows), None)
