"""How a cluster and the database in it come to be."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from psycopg import sql

from adapters.embedded_postgres.errors import EmbeddedPostgresError, telling_line
from adapters.embedded_postgres.home import UNFINISHED
from adapters.embedded_postgres.session import ADMINISTRATOR, DATABASE, ROLE, connect

if TYPE_CHECKING:
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
    """Create what is missing of our role and our database.

    The role is no superuser, as in production: a missing privilege shows here first, a few connections stay
    reserved for looking after the server, and no injected statement can run a program.
    """
    with connect(port, password) as connection:
        # Not against others who start the server, who wait for their file lock, but against a statement that
        # still runs for one of them who was killed.
        connection.execute("SELECT pg_advisory_lock(1)")
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE]).rowcount:
            # The server is sent, and would log, the verifier only.
            verifier = connection.pgconn.encrypt_password(password.encode(), ROLE.encode(), b"scram-sha-256")
            statement = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(ROLE), sql.Literal(verifier.decode())))
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(ROLE)))


def _flush(folder: Path) -> None:
    """Make a rename in the folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
