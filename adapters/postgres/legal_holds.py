"""Keeps who is deleted and not erased yet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from application.ports import LegalHold
from projections.statements import statements

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres", "legal_holds")

CLAIMED_FOR = timedelta(seconds=30)
"""Many times what an erasure takes; and a worker that dies with one is made up for within a minute."""


class PostgresLegalHolds:
    """The holds, in the table `legal_holds`; they begin and end as records."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def claim(self, now: datetime) -> LegalHold | None:
        """Return a hold that is over, and keep others off it for a while."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["claim"], {"now": now, "again_at": now + CLAIMED_FOR}).fetchone()
        return LegalHold(**row) if row is not None else None

    def due_at(self, account_id: UUID, person_id: UUID) -> datetime | None:
        """Return when a deleted sub-user is erased, None for anybody who is not held."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["due_at"], {"account_id": account_id, "person_id": person_id}).fetchone()
        return row["due_at"] if row is not None else None

    def count(self) -> int:
        """Return how many are held."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["count_held"]).fetchone()
        return int(row["held"]) if row is not None else 0
