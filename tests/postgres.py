"""Databases for tests: one server a test run, one migrated template, a copy of it for each test that asks."""

from __future__ import annotations

import hashlib
import inspect
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from adapters.embedded_postgres import EmbeddedPostgres, launch
from adapters.embedded_postgres.session import service_password
from adapters.postgres import roles
from adapters.postgres.migrations import migrate, migrations
from adapters.postgres.roles import ServiceRole
from projections.statements import statements
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eventsourcing.persistence import StoredEvent

TEMPLATE_LOCK = 7239811432777
"""Key of the advisory lock under which the template is made; any number will do."""


def embedded(folder: Path) -> EmbeddedPostgres:
    """Return the server whose files are in this folder, and nowhere else."""
    return EmbeddedPostgres(folder / "postgres", elsewhere=folder / "elsewhere")


def start(server: EmbeddedPostgres) -> str:
    """Start a server that need not survive a power cut, and return its URL."""
    with patch.dict(launch.SETTINGS, {"fsync": "off", "full_page_writes": "off"}):
        return server.start()


def stop_leftover(folder: Path) -> None:
    """Stop the server in this folder, should whoever used it have died without doing so."""
    if (folder / "postgres" / "data" / "postmaster.pid").exists():
        with embedded(folder):
            pass


def connect(url: str) -> psycopg.Connection[Any]:
    """Return a connection in autocommit mode."""
    return psycopg.connect(url, autocommit=True)


WAITING_FOR_A_LOCK = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND backend_type = 'client backend'"
)
"""Who does, in the database that is asked: of ours, as the server's own autovacuum may come by at any time."""


def ask(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query, none for a statement that has none."""
    with connect(url) as connection:
        cursor = connection.execute(query.encode(), parameters or None)
        return cursor.fetchall() if cursor.description is not None else []


def for_service(url: str) -> str:
    """Return the URL of the same database for the role that services run as, which is not its owner."""
    role = service_role(url)
    parts = urlsplit(url)
    _, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{quote(role.name, safe='')}:{role.password}@{host}").geturl()


def service_role(url: str) -> ServiceRole:
    """Return the role that services run as, on the server of that URL: an embedded one has it already."""
    owner = urlsplit(url)
    return ServiceRole(f"{unquote(owner.username or '')}_service", service_password(unquote(owner.password or "")))


def append(connection: psycopg.Connection[Any], event: StoredEvent) -> int:
    """Append an event as the service does, in whatever transaction is open, and return its position."""
    row = connection.execute(statements("adapters.postgres", "appending")["append_one"], vars(event)).fetchone()
    if row is None:
        raise LookupError(event)
    return int(row[0])


def template(server_url: str) -> str:
    """Return the name of the migrated database that others are copied from; the first to ask makes it."""
    scripts = "".join(migration.checksum for migration in migrations())
    scripts += inspect.getsource(roles) + service_role(server_url).name
    name = f"subusers_template_{hashlib.sha256(scripts.encode()).hexdigest()[:16]}"
    with connect(server_url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
            _make_template(connection, server_url, name)
    return name


@contextmanager
def copy_of(server_url: str, name: str | None) -> Iterator[str]:
    """Lend a copy of a database, or an empty one. A crash may cost it its last moments, which makes tests faster."""
    url = _copy(server_url, name)
    try:
        yield url
    finally:
        _drop(server_url, url)


class Databases:
    """Lends migrated and empty databases, each to one test at a time.

    Copying takes a hundred times as long as emptying: a database that is as it was, but for rows, is lent again.
    """

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url = server_url
        self._template = template
        self._spare: str | None = None
        self._shape = ""

    @contextmanager
    def lend(self) -> Iterator[str]:
        """Lend one."""
        url, self._spare = self._spare or self._new(), None
        try:
            yield url
        finally:
            self._take_back(url)

    def close(self) -> None:
        """Drop what is left."""
        if self._spare is not None:
            _drop(self._server_url, self._spare)

    def _new(self) -> str:
        url = _copy(self._server_url, self._template)
        ((self._shape,),) = ask(url, SHAPE)
        return url

    def _take_back(self, url: str) -> None:
        try:
            cut_off(url)
            as_it_was = ask(url, SHAPE) == [(self._shape,)]
            if as_it_was:
                _empty(url)
        except psycopg.Error:
            as_it_was = False
        if as_it_was:
            self._spare = url
        else:
            _drop(self._server_url, url)


SHAPE = """
SELECT md5(string_agg(thing, ',' ORDER BY thing))
FROM (SELECT concat_ws(' ', c.oid, relname, relnatts, relacl, reloptions)
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
      UNION ALL SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
      UNION ALL SELECT concat_ws(' ', attrelid, attname, atttypid, attnotnull) FROM pg_attribute WHERE attrelid >= 16384
      UNION ALL SELECT concat_ws(' ', oid, tgname) FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL SELECT m::text FROM schema_migrations m) AS things (thing)
"""
"""What a database is besides its rows: relations, columns, triggers, privileges, and which migrations have run."""


def _empty(url: str) -> None:
    """Have a database as if nothing had ever been written to it."""
    with connect(url) as connection, connection.transaction():
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            if table != "schema_migrations":
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        connection.execute(
            "SELECT setval(c.oid, 1, false) FROM pg_class c "
            "WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
        )


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


def cut_off(url: str, name: str | None = None) -> int:
    """Have the server end every other connection to this database, or that of a name; return how many there were.

    Its own autovacuum, which nobody but a superuser may end, is none.
    """
    cut = ask(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = coalesce(%s, current_database()) "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
        name,
    )
    return len(cut)


def _make_template(connection: psycopg.Connection[Any], server_url: str, name: str) -> None:
    """Give it its name when it is complete, so that a crash leaves no half of one."""
    draft = f"{name}_draft"
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(draft)))
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
    role = service_role(server_url)
    with connect(url_of(server_url, draft)) as inside:
        is_embedded = inside.execute("SELECT FROM pg_roles WHERE rolname = %s", [role.name]).rowcount
        migrate(inside, role)
        if not is_embedded:  # there it is so already: tests may end connections of services
            inside.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role.name)))
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(name)))


def _drop(server_url: str, url: str) -> None:
    """Drop it, once the server's own vacuuming is through with it: to end that takes a superuser."""
    name = sql.Identifier(urlsplit(url).path.strip("/"))

    def is_dropped() -> bool:
        with connect(server_url) as connection, suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            return True
        return False

    eventually(is_dropped)
