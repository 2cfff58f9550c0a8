"""Directory of accounts by e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.postgres.prepared_statements import fetch_all
from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.tables", "account_directory")


class PostgresAccountDirectory:
    """Reads the table `account_directory`, which transactional writes maintain."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def find_account_id(self, email_hash: str, now: datetime) -> UUID | None:
        """Return the account with this e-mail, or with a former one that still works, if any."""
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["find_account"], {"email_hash": email_hash, "now": now})
        return next((account_id for (account_id,) in rows), None)
