"""Reads sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from application.ports import Session
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres", "sessions")
NOTE_USE_AFTER = timedelta(minutes=1)


class PostgresSessions:
    """The sessions, in the table of that name; they are written as records."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def find(self, token_hash: bytes, now: datetime) -> Session | None:
        """Return the session of that token if it is good now, and note that it was used."""
        key = {"token_hash": token_hash, "now": now}
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["find_session"], key, prepare=True).fetchone()
            if row is not None and now - row["last_used_at"] > NOTE_USE_AFTER:
                connection.execute(SQL["note_use"], key)
        return Session(**row) if row is not None else None

    def of_person(self, person_id: UUID, now: datetime) -> Sequence[Session]:
        """Return a person's good sessions, newest first."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["find_sessions_of_person"], {"person_id": person_id, "now": now}).fetchall()
        return [Session(**row) for row in rows]
