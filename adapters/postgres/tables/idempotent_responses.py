"""Table of responses stored for idempotency keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.postgres.sql_files import statements
from application.ports.idempotent_responses import StoredResponse

if TYPE_CHECKING:
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.tables", "idempotent_responses")


class PostgresIdempotentResponses:
    """Reads the table `kept_answers`, which transactional writes fill."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def find(self, api_key_id: UUID, idempotency_key: str) -> StoredResponse | None:
        """Return the response stored under an API key's idempotency key, if any."""
        key = {"api_key_id": api_key_id, "idempotency_key": idempotency_key}
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["find_response"], key).fetchone()
        return StoredResponse(**row) if row is not None else None
