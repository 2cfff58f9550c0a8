"""Table of the links that are mailed to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.postgres.sql_files import statements
from application.ports.sign_in.mailed_links import MailedLink
from domain.mails import LinkPurpose

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.sign_in", "mailed_links")


class PostgresMailedLinks:
    """Reads rows of `mailed_links`. Transactional writes store and delete them."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def find(self, link_hash: bytes, now: datetime) -> MailedLink | None:
        """Return a link by the hash of its secret, if it is valid."""
        return self._find("find_link", {"link_hash": link_hash, "now": now})

    def find_by_event(self, account_id: UUID, caused_by: int, now: datetime) -> MailedLink | None:
        """Return the link that an event of an account requested, by the event's version, if it is valid."""
        return self._find("find_link_of_event", {"account_id": account_id, "caused_by": caused_by, "now": now})

    def _find(self, statement: str, parameters: dict[str, Any]) -> MailedLink | None:
        with self._database.get_connection() as connection:
            row = connection.execute(SQL[statement], parameters).fetchone()
        return MailedLink(**{**row, "purpose": LinkPurpose(row["purpose"])}) if row is not None else None
