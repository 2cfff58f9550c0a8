"""Migrations: order, concurrency, checksums and failures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from adapters.postgres.maintenance import migrations as migrations_module
from adapters.postgres.maintenance.migrations import Migration, MigrationError, migrate, migrations, pending
from tests.postgres import connect, fetch
from tests.waiting import run_concurrently

NAMES = [migration.name for migration in migrations()]

SCHEMA_QUERY = (
    "SELECT 'column', table_name, column_name, data_type, is_nullable, column_default "
    "FROM information_schema.columns WHERE table_schema = 'public' "
    "UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public' "
    "ORDER BY 1, 2, 3"
)


def run(url: str) -> list[str]:
    with connect(url) as connection:
        return list(migrate(connection))


def pending_names(url: str) -> list[str]:
    with connect(url) as connection:
        return list(pending(connection))


def test_each_migration_runs_once(empty_database_url: str) -> None:
    """All scripts run in order on an empty database; a second run changes nothing."""
    assert pending_names(empty_database_url) == NAMES

    assert run(empty_database_url) == NAMES
    schema = fetch(empty_database_url, SCHEMA_QUERY)

    assert pending_names(empty_database_url) == []
    assert run(empty_database_url) == []
    assert fetch(empty_database_url, SCHEMA_QUERY) == schema


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    assert [migration.number for migration in migrations()] == list(range(1, len(NAMES) + 1))


def test_concurrent_processes_run_each_migration_once(empty_database_url: str) -> None:
    """Of eight concurrent processes on an empty database, exactly one runs each script."""
    results = run_concurrently([lambda: run(empty_database_url)] * 8)

    assert [error for error in results if isinstance(error, Exception)] == []
    ran = [name for names in results if isinstance(names, list) for name in names]
    assert sorted(ran) == NAMES


def test_altered_migration_is_refused(database_url: str) -> None:
    """The error names the script whose checksum differs."""
    fetch(database_url, "UPDATE schema_migrations SET checksum = 'of another text' WHERE number = 2")

    with pytest.raises(MigrationError, match=rf"^migration {NAMES[1]} was altered after it had run on this database$"):
        run(database_url)


def test_failed_migration_is_rolled_back(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failing script is rolled back, earlier ones stay applied, and the corrected script runs."""
    first = Migration(1, "0001_first.sql", "CREATE TABLE first ()")
    broken = Migration(2, "0002_second.sql", "CREATE TABLE second (); SELECT 1 / 0")
    monkeypatch.setattr(migrations_module, "migrations", lambda: [first, broken])
    with pytest.raises(psycopg.errors.DivisionByZero):
        run(empty_database_url)
    assert pending_names(empty_database_url) == ["0002_second.sql"]
    assert fetch(empty_database_url, "SELECT to_regclass('second') IS NULL") == [(True,)]

    monkeypatch.setattr(
        migrations_module, "migrations", lambda: [first, Migration(2, "0002_second.sql", "CREATE TABLE second ()")]
    )

    assert run(empty_database_url) == ["0002_second.sql"]


def test_failed_migration_releases_the_lock(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("UPDATE schema_migrations SET checksum = 'x' WHERE number = 1")
        with pytest.raises(MigrationError):
            migrate(connection)

        lock_count = (
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
            "WHERE locktype = 'advisory' AND datname = current_database()"
        )
        assert connection.execute(lock_count).fetchone() == (0,)


def test_old_postgres_server_is_refused() -> None:
    """PostgreSQL below version 15 is refused before any statement runs."""
    old = SimpleNamespace(info=SimpleNamespace(server_version=140011))

    with pytest.raises(MigrationError, match=r"^PostgreSQL 15 or newer is needed; this server is 14$"):
        migrate(cast("psycopg.Connection[Any]", old))
