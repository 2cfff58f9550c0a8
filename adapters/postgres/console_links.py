"""Keeps the links by which owners log in to the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections.statements import statements

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres", "console_links")


class PostgresConsoleLinks:
    """The links, in the table `console_links`, as SHA-256; that one has been used is written as a record."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def add(self, link_hash: bytes, account_id: UUID, expires_at: datetime) -> None:
        """Have a link be good until then."""
        row = {"link_hash": link_hash, "account_id": account_id, "expires_at": expires_at}
        with self._database.get_connection() as connection:
            connection.execute(SQL["add_link"], row)

    def find(self, link_hash: bytes, now: datetime) -> UUID | None:
        """Return the account that a link opens, if it is good now."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["find_link"], {"link_hash": link_hash, "now": now}).fetchone()
        return row["account_id"] if row is not None else None
