"""Test databases: one server per run, one migrated template, and copies of it."""

from __future__ import annotations

import hashlib
import inspect
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from adapters.embedded_postgres import EmbeddedPostgres
from adapters.embedded_postgres.session import service_password
from adapters.postgres.maintenance import database_role
from adapters.postgres.maintenance.database_role import ServiceRole
from adapters.postgres.maintenance.migrations import migrate, migrations
from adapters.postgres.sql_files import statements
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eventsourcing.persistence import StoredEvent

TEMPLATE_LOCK = 7239811432777
"""Advisory lock key held while the template is created. The number is arbitrary."""


def embedded_server(folder: Path) -> EmbeddedPostgres:
    """Return an embedded server with all of its files in this folder."""
    return EmbeddedPostgres(folder / "postgres", fallback_folder=folder / "fallback", durable=False)


def stop_leftover(folder: Path) -> None:
    """Stop the server in this folder if the process that started it has died."""
    if (folder / "postgres" / "data" / "postmaster.pid").exists():
        with embedded_server(folder):
            pass


def connect(url: str) -> psycopg.Connection[Any]:
    """Return a connection in autocommit mode."""
    return psycopg.connect(url, autocommit=True)


LOCK_WAITERS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND backend_type = 'client backend'"
)
"""Query for client backends of this database that wait for a lock. Excludes autovacuum, which can run at any time."""


def fetch(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Execute a statement and return its rows, or an empty list if it returns none."""
    with connect(url) as connection:
        cursor = connection.execute(query.encode(), parameters or None)
        return cursor.fetchall() if cursor.description is not None else []


def service_role_url(url: str) -> str:
    """Return the URL of the same database for the restricted role that services use."""
    role = service_role(url)
    parts = urlsplit(url)
    _, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{quote(role.name, safe='')}:{role.password}@{host}").geturl()


def service_role(url: str) -> ServiceRole:
    """Return the role that services use on this server. Embedded servers create it themselves."""
    owner = urlsplit(url)
    return ServiceRole(f"{unquote(owner.username or '')}_service", service_password(unquote(owner.password or "")))


def append(connection: psycopg.Connection[Any], event: StoredEvent) -> int:
    """Append an event in the current transaction, as the service does, and return its position."""
    row = connection.execute(
        statements("adapters.postgres.event_store", "appending")["append_one"], vars(event)
    ).fetchone()
    if row is None:
        raise LookupError(event)
    return int(row[0])


def template_database(server_url: str) -> str:
    """Return the name of the migrated template database, and create it if necessary."""
    scripts = "".join(migration.checksum for migration in migrations())
    scripts += inspect.getsource(database_role) + service_role(server_url).name
    name = f"subusers_template_{hashlib.sha256(scripts.encode()).hexdigest()[:16]}"
    with connect(server_url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
            _make_template(connection, server_url, name)
    return name


@contextmanager
def database_copy(server_url: str, name: str | None) -> Iterator[str]:
    """Yield the URL of a copy of a database, or of an empty one if `name` is None.

    Commits are asynchronous, for speed.
    """
    url = _copy(server_url, name)
    try:
        yield url
    finally:
        _drop(server_url, url)


class Databases:
    """Pool of migrated databases, each used by one test at a time.

    Copying takes a hundred times as long as emptying. A database whose schema is unchanged is emptied and reused.
    """

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url = server_url
        self._template = template
        self._spare: str | None = None
        self._schema_fingerprint = ""

    @contextmanager
    def lend(self) -> Iterator[str]:
        """Yield the URL of an empty, migrated database."""
        url, self._spare = self._spare or self._new(), None
        try:
            yield url
        finally:
            self._give_back(url)

    def close(self) -> None:
        """Drop the spare database."""
        if self._spare is not None:
            _drop(self._server_url, self._spare)

    def _new(self) -> str:
        url = _copy(self._server_url, self._template)
        ((self._schema_fingerprint,),) = fetch(url, SCHEMA_FINGERPRINT)
        return url

    def _give_back(self, url: str) -> None:
        try:
            with connect(url) as connection:
                connection.execute(TERMINATE_CONNECTIONS, [None])
                (fingerprint,) = connection.execute(SCHEMA_FINGERPRINT).fetchone() or ("",)
                is_unchanged = fingerprint == self._schema_fingerprint
                if is_unchanged:
                    connection.execute(DELETE_ROWS)
        except psycopg.Error:
            is_unchanged = False
        if is_unchanged:
            self._spare = url
        else:
            _drop(self._server_url, url)


SCHEMA_FINGERPRINT = """
SELECT md5(string_agg(item, ',' ORDER BY item))
FROM (SELECT concat_ws(' ', c.oid, relname, relnatts, relacl, reloptions)
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
      UNION ALL SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
      UNION ALL SELECT concat_ws(' ', attrelid, attname, atttypid, attnotnull) FROM pg_attribute WHERE attrelid >= 16384
      UNION ALL SELECT concat_ws(' ', oid, tgname) FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL SELECT m::text FROM schema_migrations m) AS items (item)
"""
"""Fingerprint of a database's schema: relations, columns, triggers, privileges and applied migrations."""


DELETE_ROWS = """
DO $$
DECLARE full_table regclass;
BEGIN
    FOR full_table IN SELECT c.oid FROM pg_class c
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migrations'
            AND pg_relation_size(c.oid) > 0
    LOOP
        EXECUTE format('DELETE FROM %s', full_table);
    END LOOP;
    PERFORM setval(c.oid, 1, false) FROM pg_class c WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
END $$
"""
"""Deletes all rows except the migrations, and restarts the sequences. Skips tables whose files are empty."""


def _copy(server_url: str, name: str | None) -> str:
    copy = f"subusers_test_{uuid4().hex[:12]}"
    original = sql.SQL(" TEMPLATE {}").format(sql.Identifier(name or "template0"))
    with connect(server_url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(copy)) + original)
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(copy)))
    return url_of(server_url, copy)


def url_of(server_url: str, database: str) -> str:
    """Return the URL of another database of the same server."""
    return urlsplit(server_url)._replace(path=f"/{database}").geturl()


TERMINATE_CONNECTIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = coalesce(%s, current_database()) AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def terminate_connections(url: str, name: str | None = None) -> int:
    """Terminate the other client connections to this database, or to the one named; return their number.

    Autovacuum workers are left alone: only superusers may terminate them.
    """
    return len(fetch(url, TERMINATE_CONNECTIONS, name))


def _make_template(connection: psycopg.Connection[Any], server_url: str, name: str) -> None:
    """Create the template under a draft name, then rename it, so that a crash leaves no partial template."""
    draft = f"{name}_draft"
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(draft)))
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
    role = service_role(server_url)
    with connect(url_of(server_url, draft)) as draft_connection:
        is_embedded = draft_connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role.name]).rowcount
        migrate(draft_connection, role)
        if not is_embedded:  # embedded servers have the grant: tests may terminate connections of services
            draft_connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role.name)))
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(name)))


def _drop(server_url: str, url: str) -> None:
    """Drop a database, and retry while autovacuum, which only superusers may terminate, is connected to it."""
    name = sql.Identifier(urlsplit(url).path.strip("/"))

    def is_dropped() -> bool:
        with connect(server_url) as connection, suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            return True
        return False

    eventually(is_dropped)
