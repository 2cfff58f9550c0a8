"""The role that the running service connects as: it adds to the history, and can neither alter nor delete any of it.

Tables belong to whoever migrates. What the service may do with each follows from what tables there are, so that those
of a new migration are not forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

SQL = statements("adapters.postgres", "roles")

USUAL = ("SELECT", "INSERT", "UPDATE", "DELETE")

LESS = {
    "stored_events": ("SELECT", "INSERT"),
    "merkle_leaves": ("SELECT", "INSERT"),
    "merkle_nodes": ("SELECT", "INSERT"),
    "checkpoints": ("SELECT", "INSERT"),
    "signing_keys": ("SELECT", "INSERT"),
    "stored_snapshots": ("SELECT", "INSERT", "DELETE"),
    "schema_migrations": ("SELECT",),
    "service_keys": ("SELECT", "INSERT", "UPDATE"),
    "api_keys": ("SELECT", "INSERT", "UPDATE"),
    "mail_queue": ("SELECT", "INSERT", "UPDATE"),
    "followers": ("SELECT", "INSERT", "UPDATE"),
}
"""What the service may do with tables whose rows are there for good. Nowhere may it TRUNCATE, or define anything."""


class RoleError(Exception):
    """The service's role cannot be set up; the message says why, and what to do."""


@dataclass(frozen=True)
class ServiceRole:
    """Who the service connects as."""

    name: str
    password: str | None = field(default=None, repr=False)


def set_up(connection: Connection[Any], role: ServiceRole) -> None:
    """Have the role exist, with the rights that the service needs and no others. Raises `RoleError`."""
    with connection.transaction():
        if not _is_there(connection, role.name):
            _create(connection, role)
        for statement in rights(connection, role.name):
            connection.execute(statement)
        if _is_too_mighty(connection, role.name):
            msg = (
                f'the role "{role.name}" of SUBUSERS_DATABASE_URL could alter the history whatever it is granted: '
                "it must be no superuser, and no member of the role that owns the tables"
            )
            raise RoleError(msg)


def script(connection: Connection[Any], name: str) -> str:
    """Return what sets the role up, for somebody who may run it. A password is theirs to choose."""
    create = sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name))
    statements = [*([] if _is_there(connection, name) else [create]), *rights(connection, name)]
    return "".join(f"{statement.as_string(connection)};\n" for statement in statements)


def rights(connection: Connection[Any], name: str) -> Iterator[sql.Composed]:
    """Yield what gives a role its rights on everything there is, and takes any others away."""
    role = sql.Identifier(name)
    database = sql.Identifier(connection.info.dbname)
    yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role)
    yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role)
    for table in _relations(connection, "r", "p"):
        named = sql.Identifier("public", table)
        granted = sql.SQL(", ").join(sql.SQL(right) for right in LESS.get(table, USUAL))
        yield sql.SQL("REVOKE ALL ON {} FROM {}").format(named, role)
        yield sql.SQL("GRANT {} ON {} TO {}").format(granted, named, role)
    for sequence in _relations(connection, "S"):
        named = sql.Identifier("public", sequence)
        yield sql.SQL("REVOKE ALL ON SEQUENCE {} FROM {}").format(named, role)
        yield sql.SQL("GRANT USAGE, SELECT ON SEQUENCE {} TO {}").format(named, role)
    for function in ("drop_rebuild", "draw_positions"):
        yield sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.Identifier("public", function), role)


def may_alter_history(connection: Connection[Any]) -> bool:
    """Say whether whoever is connected could alter or delete events."""
    return _is_too_mighty(connection, connection.info.user)


def _relations(connection: Connection[Any], *kinds: str) -> Sequence[str]:
    cursor = connection.cursor(row_factory=tuple_row)
    return [row[0] for row in cursor.execute(SQL["relations"], {"kinds": list(kinds)})]


def _is_there(connection: Connection[Any], name: str) -> bool:
    return connection.execute(SQL["role"], {"name": name}).rowcount == 1


def _is_too_mighty(connection: Connection[Any], name: str) -> bool:
    row = connection.cursor(row_factory=tuple_row).execute(SQL["is_too_mighty"], {"name": name}).fetchone()
    return bool(row and row[0])


def _create(connection: Connection[Any], role: ServiceRole) -> None:
    """Create the role. The server is sent, and would log, its password's verifier only."""
    statement = sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role.name))
    if role.password is not None:
        verifier = connection.pgconn.encrypt_password(role.password.encode(), role.name.encode(), b"scram-sha-256")
        statement += sql.SQL(" PASSWORD {}").format(sql.Literal(verifier.decode()))
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        msg = (
            f'the role "{role.name}" of SUBUSERS_DATABASE_URL does not exist, and this one may not create it: '
            f"have somebody create it who may, then run this again"
        )
        raise RoleError(msg) from None
