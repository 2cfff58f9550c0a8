"""Table of the single-use links by which owners log in to the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.postgres.sql_files import statements
from application.ports.sign_in.console_links import ConsoleLink
from domain.assurance_level import AssuranceLevel

if TYPE_CHECKING:
    from datetime import datetime

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.sign_in", "console_links")


class PostgresConsoleLinks:
    """Reads and adds rows of `console_links`, which stores SHA-256 hashes. Transactional writes delete used links."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def add(self, link_hash: bytes, link: ConsoleLink, expires_at: datetime) -> None:
        """Store a link that is valid until `expires_at`."""
        row = {"link_hash": link_hash, **vars(link), "expires_at": expires_at}
        with self._database.get_connection() as connection:
            connection.execute(SQL["add_link"], row)

    def find(self, link_hash: bytes, now: datetime) -> ConsoleLink | None:
        """Return a link, if it is valid."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["find_link"], {"link_hash": link_hash, "now": now}).fetchone()
        return ConsoleLink(row["account_id"], AssuranceLevel(row["assurance"])) if row is not None else None
