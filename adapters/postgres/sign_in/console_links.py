"""Table of the single-use links by which owners log in to the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.sign_in", "console_links")


class PostgresConsoleLinks:
    """Reads and adds rows of `console_links`, which stores SHA-256 hashes. Transactional writes delete used links."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def add(self, link_hash: bytes, account_id: UUID, expires_at: datetime) -> None:
        """Store a link that is valid until `expires_at`."""
        row = {"link_hash": link_hash, "account_id": account_id, "expires_at": expires_at}
        with self._database.get_connection() as connection:
            connection.execute(SQL["add_link"], row)

    def find_account_id(self, link_hash: bytes, now: datetime) -> UUID | None:
        """Return the account of a link, if the link is valid."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["find_link"], {"link_hash": link_hash, "now": now}).fetchone()
        return row["account_id"] if row is not None else None
