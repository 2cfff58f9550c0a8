"""Reads sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from adapters.postgres.api_keys import hash_of
from application.api_keys import ApiKey, Scope
from application.ports import Session
from projections.round_trips import rows_of
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
            session = next((Session(*row) for row in rows_of(connection, SQL["find_session"], key)), None)
            if session is not None and now - session.last_used_at > NOTE_USE_AFTER:
                connection.execute(SQL["note_use"], key)
        return session

    def find_with_key(self, api_key: str, token_hash: bytes, now: datetime) -> tuple[ApiKey | None, Session | None]:
        """Return the API key, unless it has been revoked, and the session of that token, as `find` does."""
        key = {"key_hash": hash_of(api_key), "token_hash": token_hash, "now": now}
        with self._database.get_connection() as connection:
            for row in rows_of(connection, SQL["find_key_and_session"], key):
                found = ApiKey(row[0], row[1], Scope(row[2]))
                if row[3] is None:
                    return found, None
                session = Session(*row[3:])
                if now - session.last_used_at > NOTE_USE_AFTER:
                    connection.execute(SQL["note_use"], key)
                return found, session
        return None, None

    def of_person(self, person_id: UUID, now: datetime) -> Sequence[Session]:
        """Return a person's good sessions, newest first."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["find_sessions_of_person"], {"person_id": person_id, "now": now}).fetchall()
        return [Session(**row) for row in rows]
