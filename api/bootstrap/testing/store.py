"""Database for `subusers.testing`: temporary, and reset to a saved state within milliseconds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psycopg import sql

from adapters.embedded_postgres import EmbeddedPostgres
from adapters.postgres.prepared_statements import named_row
from api.bootstrap.connections import connect_for_maintenance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from psycopg import Connection

SAVED_SCHEMA = "saved_for_tests"

TABLES = """
SELECT relname, pg_relation_size(oid) > 0 AS has_rows FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migrations' ORDER BY relname
"""


@contextmanager
def temporary_database(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a PostgreSQL server in a folder, and yield the URLs for the owner of the tables and for the service.

    Raises `EmbeddedPostgresError`.
    """
    server = EmbeddedPostgres(folder / "postgres", fallback_folder=folder / "fallback", durable=False)
    with server as owner_url:
        yield owner_url, server.service_url


class SavedState:
    """The rows of all tables at one time, kept in the database. `url` is for the owner of the tables.

    `restore` leaves the sequences: positions that a client remembers are never given to other events.
    """

    def __init__(self, url: str) -> None:
        self._connection: Connection[Any] = connect_for_maintenance(url, "tests")
        self._restore = sql.Composed([])

    def save(self) -> None:
        """Save the present rows. Nothing else may write meanwhile."""
        # Deleting rows is faster than TRUNCATE, which makes new files.
        statements: list[sql.Composable] = [
            # Followers lock their row of this table before they read any other.
            sql.SQL("LOCK TABLE followers IN ACCESS EXCLUSIVE MODE")
        ]
        with self._connection.transaction():
            self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SAVED_SCHEMA)))
            for row in self._connection.cursor(row_factory=named_row).execute(TABLES).fetchall():
                table, saved = sql.Identifier("public", row.relname), sql.Identifier(SAVED_SCHEMA, row.relname)
                statements.append(sql.SQL("DELETE FROM {}").format(table))
                if row.has_rows:
                    self._connection.execute(sql.SQL("CREATE TABLE {} AS TABLE {}").format(saved, table))
                    insert = sql.SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE TABLE {}")
                    statements.append(insert.format(table, saved))
        self._restore = sql.SQL(";").join(statements)

    def restore(self) -> None:
        """Replace all rows by the saved ones."""
        with self._connection.transaction():
            self._connection.execute(self._restore)

    def make_webhooks_due(self, now: datetime) -> None:
        """Make deliveries due that wait for events to settle."""
        self._connection.execute("UPDATE webhooks SET due_at = %(now)s WHERE due_at > %(now)s", {"now": now})

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
