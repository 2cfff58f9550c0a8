"""The schema comes about once, whole, and by one process at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from adapters.postgres import migrations as module
from adapters.postgres.migrations import Migration, MigrationError, migrate, migrations, pending
from tests.postgres import ask, connect
from tests.waiting import at_once

NAMES = [migration.name for migration in migrations()]

SHAPE = (
    "SELECT 'column', table_name, column_name, data_type, is_nullable, column_default "
    "FROM information_schema.columns WHERE table_schema = 'public' "
    "UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public' "
    "ORDER BY 1, 2, 3"
)


def run(url: str) -> list[str]:
    with connect(url) as connection:
        return list(migrate(connection))


def waiting(url: str) -> list[str]:
    with connect(url) as connection:
        return list(pending(connection))


def test_every_script_runs_once(empty_database_url: str) -> None:
    """On an empty database all scripts run, in order; after that there is nothing to do, and nothing is done."""
    assert waiting(empty_database_url) == NAMES

    assert run(empty_database_url) == NAMES
    shape = ask(empty_database_url, SHAPE)

    assert waiting(empty_database_url) == []
    assert run(empty_database_url) == []
    assert ask(empty_database_url, SHAPE) == shape


def test_scripts_are_numbered_from_one_without_gaps() -> None:
    """The number of a script says where in the order it stands, and no two share one."""
    assert [migration.number for migration in migrations()] == list(range(1, len(NAMES) + 1))


def test_many_processes_migrate_at_once(empty_database_url: str) -> None:
    """Of eight that begin at the same time on an empty database, each script is run by exactly one."""
    came_to = at_once([lambda: run(empty_database_url)] * 8)

    assert [error for error in came_to if isinstance(error, Exception)] == []
    ran = [name for names in came_to if isinstance(names, list) for name in names]
    assert sorted(ran) == NAMES


def test_an_altered_script_is_found_out(database_url: str) -> None:
    """A script that is not what ran on this database stops the migration, with its name."""
    ask(database_url, "UPDATE schema_migrations SET checksum = 'of another text' WHERE number = 2")

    with pytest.raises(MigrationError, match=rf"^migration {NAMES[1]} was altered after it had run on this database$"):
        run(database_url)


def test_a_failing_script_leaves_nothing_behind(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script runs whole or not at all, those before it stay, and once mended it runs."""
    first = Migration(1, "0001_first.sql", "CREATE TABLE first ()")
    broken = Migration(2, "0002_second.sql", "CREATE TABLE second (); SELECT 1 / 0")
    monkeypatch.setattr(module, "migrations", lambda: [first, broken])
    with pytest.raises(psycopg.errors.DivisionByZero):
        run(empty_database_url)
    assert waiting(empty_database_url) == ["0002_second.sql"]
    assert ask(empty_database_url, "SELECT to_regclass('second') IS NULL") == [(True,)]

    monkeypatch.setattr(
        module, "migrations", lambda: [first, Migration(2, "0002_second.sql", "CREATE TABLE second ()")]
    )

    assert run(empty_database_url) == ["0002_second.sql"]


def test_a_failed_migration_lets_the_next_one_go_ahead(database_url: str) -> None:
    """The lock under which one process migrates is given back even when that fails."""
    with connect(database_url) as connection:
        connection.execute("UPDATE schema_migrations SET checksum = 'x' WHERE number = 1")
        with pytest.raises(MigrationError):
            migrate(connection)

        held = (
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
            "WHERE locktype = 'advisory' AND datname = current_database()"
        )
        assert connection.execute(held).fetchone() == (0,)


def test_an_old_server_is_refused() -> None:
    """A server older than PostgreSQL 15 is told from others before anything is run on it."""
    old = SimpleNamespace(info=SimpleNamespace(server_version=140011))

    with pytest.raises(MigrationError, match=r"^PostgreSQL 15 or newer is needed; this server is 14$"):
        migrate(cast("psycopg.Connection[Any]", old))
