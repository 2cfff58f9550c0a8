"""Talking to the server: whether it is there is asked of itself, never of a file."""

from __future__ import annotations

import hmac
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import psycopg

from adapters.embedded_postgres.errors import NOT_NOW

if TYPE_CHECKING:
    from psycopg.rows import TupleRow

HOST: Final = "127.0.0.1"
ADMINISTRATOR: Final = "postgres"
ROLE: Final = "subusers"
SERVICE_ROLE: Final = f"{ROLE}_service"
DATABASE: Final = "subusers"


class Answer(Enum):
    """What comes back from a port."""

    OURS = auto()
    NOT_NOW = auto()
    NOBODY_OF_OURS = auto()


def url(port: int, password: str) -> str:
    """Return the address of our database, for the owner of what is in it."""
    return f"postgresql://{ROLE}:{quote(password, safe='')}@{HOST}:{port}/{DATABASE}"


def service_url(port: int, password: str) -> str:
    """Return the address of our database, for the running service."""
    return f"postgresql://{SERVICE_ROLE}:{service_password(password)}@{HOST}:{port}/{DATABASE}"


def service_password(password: str) -> str:
    """Return the password of the service's role, which tells nothing of the owner's."""
    return hmac.digest(password.encode(), SERVICE_ROLE.encode(), "sha256").hex()


def connect(port: int, password: str) -> psycopg.Connection[TupleRow]:
    """Connect as administrator. Raises `psycopg.OperationalError`.

    Each option given here is one that libpq would otherwise take from the environment.
    """
    return psycopg.connect(
        hostaddr=HOST,
        host=HOST,
        port=port,
        user=ADMINISTRATOR,
        password=password,
        dbname="postgres",
        options="",
        sslmode="disable",
        gssencmode="disable",
        # SCRAM proves the server to us too; whoever else took the port must not get the password by asking for it.
        require_auth="scram-sha-256",
        connect_timeout=2,
        autocommit=True,
    )


def ask(port: int, password: str, data: Path) -> Answer:
    """Ask whoever listens on the port whether it is the server of the cluster in `data`."""
    try:
        with connect(port, password) as connection:
            row: tuple[Any, ...] | None = connection.execute("SHOW data_directory").fetchone()
    except psycopg.OperationalError as error:
        return Answer.NOT_NOW if NOT_NOW in str(error) else Answer.NOBODY_OF_OURS
    # A copied folder has the same password and port as the original.
    return Answer.OURS if row and _same_folder(Path(row[0]), data) else Answer.NOBODY_OF_OURS


def _same_folder(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
