"""Table of sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from adapters.postgres.prepared_statements import fetch_all, named_row
from adapters.postgres.sql_files import statements
from application.ports.sessions import Session
from domain.assurance_level import AssuranceLevel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.tables", "sessions")
RECORD_USE_INTERVAL = timedelta(minutes=1)
"""The statement `record_use` has the same limit, across all processes."""


class PostgresSessions:
    """Reads the table `sessions`, which transactional writes change."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def find(self, token_hash: bytes, now: datetime) -> Session | None:
        """Return the session of a token if it is active, and record its use at most once a minute."""
        key = {"token_hash": token_hash, "now": now}
        with self._database.get_connection() as connection:
            session = next(map(session_from, fetch_all(connection, SQL["find_session"], key)), None)
        if session is not None:
            self.record_use(session, token_hash, now)
        return session

    def record_use(self, session: Session, token_hash: bytes, now: datetime) -> None:
        """Record the use of a session, at most once a minute."""
        if now - session.last_used_at > RECORD_USE_INTERVAL:
            with self._database.get_connection() as connection:
                connection.execute(SQL["record_use"], {"token_hash": token_hash, "now": now})

    def of_person(self, person_id: UUID, now: datetime) -> Sequence[Session]:
        """Return a person's active sessions, newest first."""
        with self._database.get_connection() as connection:
            cursor = connection.cursor(row_factory=named_row)
            rows = cursor.execute(SQL["find_sessions_of_person"], {"person_id": person_id, "now": now}).fetchall()
        return [session_from(row) for row in rows]


def session_from(row: Any) -> Session:
    """Return the session in a row."""
    return Session(
        session_id=row.session_id,
        account_id=row.account_id,
        person_id=row.person_id,
        assurance=AssuranceLevel(row.assurance),
        opened_at=row.opened_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        ip=row.ip,
        user_agent=row.user_agent,
        needs_second_factor=row.needs_second_factor,
    )
