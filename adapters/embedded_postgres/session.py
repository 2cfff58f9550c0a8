"""Connections to the server, and the check whether a server is the one of a cluster."""

from __future__ import annotations

import hmac
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import psycopg

from adapters.embedded_postgres.errors import STARTING_OR_STOPPING_MESSAGE

if TYPE_CHECKING:
    from psycopg.rows import TupleRow

HOST: Final = "127.0.0.1"
ADMINISTRATOR: Final = "postgres"
ROLE: Final = "subusers"
SERVICE_ROLE: Final = f"{ROLE}_service"
DATABASE: Final = "subusers"


class ProbeResult(Enum):
    """Result of a connection attempt to a port."""

    THIS_CLUSTER = auto()
    STARTING_OR_STOPPING = auto()
    OTHER = auto()


def url(port: int, password: str) -> str:
    """Return the database URL of the owner's role."""
    return f"postgresql://{ROLE}:{quote(password, safe='')}@{HOST}:{port}/{DATABASE}"


def service_url(port: int, password: str) -> str:
    """Return the database URL of the running service's role."""
    return f"postgresql://{SERVICE_ROLE}:{service_password(password)}@{HOST}:{port}/{DATABASE}"


def service_password(password: str) -> str:
    """Derive the password of the service's role, which does not reveal the owner's password."""
    return hmac.digest(password.encode(), SERVICE_ROLE.encode(), "sha256").hex()


def connect(port: int, password: str, database: str = "postgres") -> psycopg.Connection[TupleRow]:
    """Connect as administrator. Raises `psycopg.OperationalError`.

    Sets every option that libpq would otherwise take from the environment.
    """
    return psycopg.connect(
        hostaddr=HOST,
        host=HOST,
        port=port,
        user=ADMINISTRATOR,
        password=password,
        dbname=database,
        options="",
        sslmode="disable",
        gssencmode="disable",
        # SCRAM also authenticates the server. Another program on the port could request the password in plaintext.
        require_auth="scram-sha-256",
        connect_timeout=2,
        autocommit=True,
    )


def probe(port: int, password: str, data_directory: Path) -> ProbeResult:
    """Check whether the server of the cluster in `data_directory` listens on a port."""
    try:
        with connect(port, password) as connection:
            row: tuple[Any, ...] | None = connection.execute("SHOW data_directory").fetchone()
    except psycopg.OperationalError as error:
        return ProbeResult.STARTING_OR_STOPPING if STARTING_OR_STOPPING_MESSAGE in str(error) else ProbeResult.OTHER
    # A copied folder has the same password and port as the original.
    return ProbeResult.THIS_CLUSTER if row and _same_folder(Path(row[0]), data_directory) else ProbeResult.OTHER


def _same_folder(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False
