"""Databases for tests: one server a test run, one migrated template, a copy of it for each test that asks."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from adapters.embedded_postgres import EmbeddedPostgres, launch
from adapters.postgres.migrations import migrate, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


def ask(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query, none for a statement that has none."""
    with connect(url) as connection:
        cursor = connection.execute(query.encode(), parameters or None)
        return cursor.fetchall() if cursor.description is not None else []


def template(server_url: str) -> str:
    """Return the name of the migrated database that others are copied from; the first to ask makes it."""
    scripts = "".join(migration.checksum for migration in migrations())
    name = f"subusers_template_{hashlib.sha256(scripts.encode()).hexdigest()[:16]}"
    with connect(server_url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
            _make_template(connection, server_url, name)
    return name


@contextmanager
def copy_of(server_url: str, name: str | None) -> Iterator[str]:
    """Lend a copy of a database, or an empty one. A crash may cost it its last moments, which makes tests faster."""
    copy = f"subusers_test_{uuid4().hex[:12]}"
    original = sql.SQL(" TEMPLATE {}").format(sql.Identifier(name or "template0"))
    with connect(server_url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(copy)) + original)
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(copy)))
    try:
        yield url_of(server_url, copy)
    finally:
        _drop(server_url, copy)


def url_of(server_url: str, database: str) -> str:
    """Return the URL of another database of the same server."""
    return urlsplit(server_url)._replace(path=f"/{database}").geturl()


def cut_off(url: str) -> int:
    """Have the server end every other connection to this database, and return how many there were."""
    cut = ask(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()",
    )
    return len(cut)


def _make_template(connection: psycopg.Connection[Any], server_url: str, name: str) -> None:
    """Give it its name when it is complete, so that a crash leaves no half of one."""
    draft = f"{name}_draft"
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(draft)))
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
    with connect(url_of(server_url, draft)) as inside:
        migrate(inside)
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(name)))


def _drop(server_url: str, name: str) -> None:
    with connect(server_url) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
