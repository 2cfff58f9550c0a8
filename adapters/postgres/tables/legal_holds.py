"""Table of deleted sub-users whose data is under legal hold."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from adapters.postgres.sql_files import statements
from application.ports.legal_holds import LegalHold

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.tables", "legal_holds")

CLAIM_DURATION = timedelta(seconds=30)
"""Many times the duration of an erasure, and short enough to replace a worker that died within a minute."""


class PostgresLegalHolds:
    """Claims and reads holds of the table `legal_holds`. Transactional writes place and remove them."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def claim(self, now: datetime) -> LegalHold | None:
        """Return a hold that has ended, if any, and reserve it for this worker for `CLAIM_DURATION`."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["claim"], {"now": now, "again_at": now + CLAIM_DURATION}).fetchone()
        return LegalHold(**row) if row is not None else None

    def due_at(self, account_id: UUID, person_id: UUID) -> datetime | None:
        """Return when a deleted sub-user is due to be erased; None if they are not under legal hold."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["due_at"], {"account_id": account_id, "person_id": person_id}).fetchone()
        return row["due_at"] if row is not None else None

    def count(self) -> int:
        """Return the number of sub-users under legal hold."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["count_held"]).fetchone()
        return int(row["held"]) if row is not None else 0
