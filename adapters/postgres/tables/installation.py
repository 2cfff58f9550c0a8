"""Table with facts about the installation: the `source` of its events.

Consumers identify an event by its source and its id. So processes and commands with other settings must use the same
source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import scalar_row

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from psycopg import Connection

SQL = statements("adapters.postgres.tables", "installation")


def source(connection: Connection[Any]) -> str | None:
    """Return the stored source; None if none is stored."""
    cursor = connection.cursor(row_factory=scalar_row)
    stored: str | None = cursor.execute(SQL["source"]).fetchone()
    return stored


def set_source(connection: Connection[Any], source_to_store: str) -> None:
    """Store the source. Write nothing if it is stored already, so that a read-only database is enough for that."""
    if source(connection) != source_to_store:
        connection.execute(SQL["set_source"], {"source": source_to_store})


def add_source(connection: Connection[Any], default_source: str) -> None:
    """Store a default source unless one is stored."""
    if source(connection) is None:
        connection.execute(SQL["add_source"], {"source": default_source})
