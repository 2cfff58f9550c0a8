"""Numbered scripts that bring the schema up to date: forwards only, each in a transaction of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import psycopg

from adapters.postgres import roles

if TYPE_CHECKING:
    from collections.abc import Sequence

LOCK = 7239811432001
"""Key of the advisory lock that lets one process migrate at a time; any number will do, so long as it stays."""

OLDEST_SERVER = 150000
"""PostgreSQL 15, as `server_version` counts."""


class MigrationError(Exception):
    """The schema cannot be brought up to date; the message says why."""


@dataclass(frozen=True)
class Migration:
    """One script."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Tells a script from one that was altered after it ran."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return every script, in order."""
    scripts = sorted(
        (file for file in files(__package__).iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return [Migration(int(file.name.split("_", 1)[0]), file.name, file.read_text(encoding="utf-8")) for file in scripts]


def migrate(connection: psycopg.Connection, service: roles.ServiceRole | None = None) -> Sequence[str]:
    """Run what has not run yet, one process at a time, and return its names. Raises `MigrationError`.

    The role that the service runs as is set up with it, unless it runs as whoever migrates (None). The connection must
    be in autocommit mode.
    """
    if connection.info.server_version < OLDEST_SERVER:
        msg = f"PostgreSQL 15 or newer is needed; this server is {connection.info.server_version // 10000}"
        raise MigrationError(msg)
    connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        return _run_all(connection, service)
    except roles.RoleError as error:
        raise MigrationError(str(error)) from None
    except psycopg.errors.InsufficientPrivilege as error:
        msg = f"{error.diag.message_primary}: SUBUSERS_ADMIN_DATABASE_URL has to name a role that may migrate"
        raise MigrationError(msg) from None
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def pending(connection: psycopg.Connection) -> Sequence[str]:
    """Return the names of the scripts that have not run yet; all of them for a role that may not look."""
    done = connection.execute("SELECT has_table_privilege(to_regclass('schema_migrations'), 'SELECT')").fetchone()
    if not done or not done[0]:
        return [migration.name for migration in migrations()]
    return [migration.name for migration in migrations() if _checksum(connection, migration) is None]


def _run_all(connection: psycopg.Connection, service: roles.ServiceRole | None) -> Sequence[str]:
    if connection.execute("SELECT WHERE to_regclass('schema_migrations') IS NULL").rowcount:
        connection.execute(
            "CREATE TABLE schema_migrations (number integer PRIMARY KEY, name text NOT NULL, "
            "checksum text NOT NULL, ran_at timestamptz NOT NULL DEFAULT now())"
        )
    done = [migration.name for migration in migrations() if _run(connection, migration)]
    if service is not None:
        roles.set_up(connection, service)
    return done


def _run(connection: psycopg.Connection, migration: Migration) -> bool:
    with connection.transaction():
        checksum = _checksum(connection, migration)
        if checksum is not None:
            if checksum != migration.checksum:
                msg = f"migration {migration.name} was altered after it had run on this database"
                raise MigrationError(msg)
            return False
        connection.execute(migration.sql)
        connection.execute(
            "INSERT INTO schema_migrations (number, name, checksum) VALUES (%s, %s, %s)",
            [migration.number, migration.name, migration.checksum],
        )
    return True


def _checksum(connection: psycopg.Connection, migration: Migration) -> str | None:
    row = connection.execute("SELECT checksum FROM schema_migrations WHERE number = %s", [migration.number]).fetchone()
    return row[0] if row else None
