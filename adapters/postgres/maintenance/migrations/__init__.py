"""Schema migrations: numbered scripts, forward only, each in its own transaction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import scalar_row

from adapters.postgres.maintenance import database_role

if TYPE_CHECKING:
    from collections.abc import Sequence

LOCK = 7239811432001
"""Key of the advisory lock that serializes migrations. The number is arbitrary, but must not change."""

OLDEST_SERVER = 150000
"""PostgreSQL 15, in the format of `server_version_num`."""


class MigrationError(Exception):
    """The schema cannot be migrated. The message gives the reason."""


@dataclass(frozen=True)
class Migration:
    """A migration script."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the script, to detect changes after it has run."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return all scripts in order."""
    scripts = sorted(
        (file for file in files(__package__).iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return [Migration(int(file.name.split("_", 1)[0]), file.name, file.read_text(encoding="utf-8")) for file in scripts]


def migrate(connection: psycopg.Connection, service: database_role.ServiceRole | None = None) -> Sequence[str]:
    """Run pending scripts, one process at a time, and return their names. Raises `MigrationError`.

    Then set up the service's role, unless `service` is None because the service connects as the migrating role. The
    connection must be in autocommit mode.
    """
    if connection.info.server_version < OLDEST_SERVER:
        msg = f"PostgreSQL 15 or newer is needed; this server is {connection.info.server_version // 10000}"
        raise MigrationError(msg)
    connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        return _run_all(connection, service)
    except database_role.RoleError as error:
        raise MigrationError(str(error)) from None
    except psycopg.errors.InsufficientPrivilege as error:
        msg = f"{error.diag.message_primary}: SUBUSERS_ADMIN_DATABASE_URL must name a role with the right to migrate"
        raise MigrationError(msg) from None
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def pending(connection: psycopg.Connection) -> Sequence[str]:
    """Return the names of pending scripts; all scripts if the role cannot read `schema_migrations`."""
    is_readable = connection.execute(
        "SELECT has_table_privilege(to_regclass('schema_migrations'), 'SELECT')"
    ).fetchone()
    if not is_readable or not is_readable[0]:
        return [migration.name for migration in migrations()]
    return [migration.name for migration in migrations() if _checksum(connection, migration) is None]


def _run_all(connection: psycopg.Connection, service: database_role.ServiceRole | None) -> Sequence[str]:
    if connection.execute("SELECT WHERE to_regclass('schema_migrations') IS NULL").rowcount:
        connection.execute(
            "CREATE TABLE schema_migrations (number integer PRIMARY KEY, name text NOT NULL, "
            "checksum text NOT NULL, ran_at timestamptz NOT NULL DEFAULT now())"
        )
    names = [migration.name for migration in migrations() if _run(connection, migration)]
    if service is not None:
        database_role.set_up_role(connection, service)
    return names


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
    cursor = connection.cursor(row_factory=scalar_row)
    query = "SELECT checksum FROM schema_migrations WHERE number = %s"
    checksum: str | None = cursor.execute(query, [migration.number]).fetchone()
    return checksum
