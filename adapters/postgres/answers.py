"""Reads the answers kept for idempotency keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.ports import KeptAnswer
from projections.statements import statements

if TYPE_CHECKING:
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres", "answers")


class PostgresAnswers:
    """The answers, in the table `kept_answers`; they are written as records."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def find(self, api_key_id: UUID, idempotency_key: str) -> KeptAnswer | None:
        """Return the answer kept under that key."""
        key = {"api_key_id": api_key_id, "idempotency_key": idempotency_key}
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["find_answer"], key).fetchone()
        return KeptAnswer(**row) if row is not None else None
