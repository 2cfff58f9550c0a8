"""Creation of the cluster, its roles and its database."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

from adapters.embedded_postgres.errors import EmbeddedPostgresError, error_line
from adapters.embedded_postgres.home import UNFINISHED
from adapters.embedded_postgres.session import (
    ADMINISTRATOR,
    DATABASE,
    ROLE,
    SERVICE_ROLE,
    connect,
    service_password,
)
from adapters.postgres.maintenance.database_role import SQL as ROLES_SQL

if TYPE_CHECKING:
    from psycopg import Connection

    from adapters.embedded_postgres.binaries import Binaries
    from adapters.embedded_postgres.home import Home
    from adapters.embedded_postgres.os_user import OsUser

# The builtin locale does not depend on the C library, which lacks C.UTF-8 on some systems.
INITDB_OPTIONS: Final = (
    f"--username={ADMINISTRATOR}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--no-instructions",
)


def create_cluster(home: Home, os_user: OsUser, binaries: Binaries, password: str, *, durable: bool = True) -> None:
    """Create the cluster in a temporary folder, and rename it when complete, so that a crash leaves no partial one.

    Raises `EmbeddedPostgresError` with the error message of `initdb` if it fails.
    """
    data_directory = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=home.folder))
    os_user.own(data_directory)
    with tempfile.NamedTemporaryFile("w", prefix=UNFINISHED, dir=home.folder) as password_file:
        password_file.write(password)
        password_file.flush()
        os_user.own(Path(password_file.name))
        result = os_user.run(
            [
                binaries.initdb,
                f"--pgdata={data_directory}",
                f"--pwfile={password_file.name}",
                *INITDB_OPTIONS,
                *([] if durable else ["--no-sync"]),
            ],
        )
    if result.returncode != 0:
        raise EmbeddedPostgresError(f"initdb failed: {error_line(result.stderr)}")
    data_directory.rename(home.data_directory)
    _sync_folder(home.folder)


def create_database(port: int, password: str) -> None:
    """Create the roles and the database, if they do not exist.

    One role owns the database. The other is the role of the running service, to which the migrations grant its rights.
    As in production, neither is a superuser: missing privileges show in development, some connections stay reserved for
    the administrator, and an injected statement cannot run programs.
    """
    with connect(port, password) as connection:
        # The file lock serializes processes. This lock is needed if one was killed, and its statement is still running.
        connection.execute("SELECT pg_advisory_lock(1)")
        _create_role(connection, ROLE, password, sql.SQL("CREATEDB"))
        # The owner's role is a member, so it can terminate the service's connections.
        _create_role(
            connection, SERVICE_ROLE, service_password(password), sql.SQL("ROLE {}").format(sql.Identifier(ROLE))
        )
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(ROLE)))
    with connect(port, password, DATABASE) as connection:
        connection.execute(ROLES_SQL["deny_large_objects"])


def _create_role(connection: Connection[Any], name: str, password: str, options: sql.Composable) -> None:
    """Create a role if it does not exist. The server receives, and can log, only its password's verifier."""
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).rowcount:
        verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(verifier.decode()), options))


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
