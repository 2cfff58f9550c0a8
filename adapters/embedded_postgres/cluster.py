"""How a cluster and the database in it come to be."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

from adapters.embedded_postgres.errors import EmbeddedPostgresError, telling_line
from adapters.embedded_postgres.home import UNFINISHED
from adapters.embedded_postgres.session import (
    ADMINISTRATOR,
    DATABASE,
    ROLE,
    SERVICE_ROLE,
    connect,
    service_password,
)

if TYPE_CHECKING:
    from psycopg import Connection

    from adapters.embedded_postgres.account import Account
    from adapters.embedded_postgres.binaries import Binaries
    from adapters.embedded_postgres.home import Home

# The builtin locale needs nothing from the C library: C.UTF-8 is missing from some systems.
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


def create_cluster(home: Home, account: Account, binaries: Binaries, password: str) -> None:
    """Create the cluster under another name, and rename it when complete: a crash leaves no half of one.

    Raises `EmbeddedPostgresError` with what `initdb` said when it fails.
    """
    data = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=home.folder))
    account.own(data)
    with tempfile.NamedTemporaryFile("w", prefix=UNFINISHED, dir=home.folder) as password_file:
        password_file.write(password)
        password_file.flush()
        account.own(Path(password_file.name))
        done = account.run(
            [binaries.initdb, f"--pgdata={data}", f"--pwfile={password_file.name}", *INITDB_OPTIONS],
        )
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"initdb failed: {telling_line(done.stderr)}")
    data.rename(home.data)
    _flush(home.folder)


def create_database(port: int, password: str) -> None:
    """Create what is missing of our roles and our database.

    No role is a superuser, as in production: a missing privilege shows here first, a few connections stay reserved
    for looking after the server, and no injected statement can run a program. One owns what is in the database, the
    other is what the service runs as; migrations say what it may do.
    """
    with connect(port, password) as connection:
        # Not against others who start the server, who wait for their file lock, but against a statement that
        # still runs for one of them who was killed.
        connection.execute("SELECT pg_advisory_lock(1)")
        _create_role(connection, ROLE, password, sql.SQL("CREATEDB"))
        # Its owner may end the service's connections.
        _create_role(
            connection, SERVICE_ROLE, service_password(password), sql.SQL("ROLE {}").format(sql.Identifier(ROLE))
        )
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(ROLE)))


def _create_role(connection: Connection[Any], name: str, password: str, options: sql.Composable) -> None:
    """Create a role that is missing. The server is sent, and would log, its password's verifier only."""
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).rowcount:
        verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(verifier.decode()), options))


def _flush(folder: Path) -> None:
    """Make a rename in the folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
