"""Database role of the running service: it can append events, but neither alter nor delete them.

The role that runs migrations owns the tables. Grants are derived from the tables that exist, so a table of a new
migration is included without further changes. Functions that the service may execute are listed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row

from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

SQL = statements("adapters.postgres.maintenance", "database_role")

DEFAULT_GRANTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
"""Grants on a table. The service can neither truncate tables nor create objects."""

RESTRICTED_GRANTS = {
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
    "store_lineage": ("SELECT", "INSERT", "UPDATE"),
    "installation": ("SELECT", "INSERT", "UPDATE"),
}
"""Narrower grants than `DEFAULT_GRANTS`, by table."""

EXECUTABLE_FUNCTIONS = (
    *("drop_rebuild", "draw_positions", "refuse_gap"),
    *("require_open_account", "require_good_api_key", "require_no_active_webhook"),
)
"""Functions of migrations that the service may execute. Add those of a new migration."""


class RoleError(Exception):
    """The service's role cannot be set up. The message gives the reason and the remedy."""


@dataclass(frozen=True)
class ServiceRole:
    """Name and password of the role that the service connects as."""

    name: str
    password: str | None = field(default=None, repr=False)


def set_up_role(connection: Connection[Any], role: ServiceRole) -> None:
    """Create the role if it does not exist, and give it exactly the rights that the service needs.

    Raises `RoleError`.
    """
    with connection.transaction():
        if not _exists(connection, role.name):
            _create(connection, role)
        for statement in grant_statements(connection, role.name):
            connection.execute(statement)
        if may_alter_history(connection, role.name):
            msg = (
                f'the role "{role.name}" of SUBUSERS_DATABASE_URL could alter the history regardless of its grants: '
                "it must be neither a superuser nor a member of the role that owns the tables"
            )
            raise RoleError(msg)


def setup_script(connection: Connection[Any], name: str) -> str:
    """Return an SQL script that sets up the role, for an administrator to run. It sets no password."""
    create = sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name))
    script = [*([] if _exists(connection, name) else [create]), *grant_statements(connection, name)]
    return "".join(f"{statement.as_string(connection)};\n" for statement in script)


def grant_statements(connection: Connection[Any], name: str) -> Iterator[sql.Composed]:
    """Yield the statements that grant a role its rights and revoke all others.

    The rights of PUBLIC apply to the role too, so they are revoked from PUBLIC. The database's owner can do that,
    except for large objects, which need a superuser.
    """
    role = sql.Identifier(name)
    database = sql.Identifier(connection.info.dbname)
    yield sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(database, role)
    yield sql.SQL("REVOKE TEMPORARY, CREATE ON DATABASE {} FROM PUBLIC").format(database)
    yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role)
    yield sql.SQL("REVOKE ALL ON SCHEMA public FROM {}").format(role)
    # `format()` without arguments makes a `Composed`, the type of the other statements.
    yield sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC").format()
    yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role)
    yield sql.SQL(SQL["deny_large_objects"]).format()
    for table in _relations(connection, "r", "p"):
        table_name = sql.Identifier("public", table)
        grants = sql.SQL(", ").join(sql.SQL(right) for right in RESTRICTED_GRANTS.get(table, DEFAULT_GRANTS))
        yield sql.SQL("REVOKE ALL ON {} FROM {}").format(table_name, role)
        yield sql.SQL("GRANT {} ON {} TO {}").format(grants, table_name, role)
    for sequence in _relations(connection, "S"):
        sequence_name = sql.Identifier("public", sequence)
        yield sql.SQL("REVOKE ALL ON SEQUENCE {} FROM {}").format(sequence_name, role)
        yield sql.SQL("GRANT USAGE, SELECT ON SEQUENCE {} TO {}").format(sequence_name, role)
    for function in EXECUTABLE_FUNCTIONS:
        yield sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.Identifier("public", function), role)


def may_alter_history(connection: Connection[Any], role_name: str) -> bool:
    """Return whether a role could alter or delete events."""
    cursor = connection.cursor(row_factory=scalar_row)
    return bool(cursor.execute(SQL["may_alter_history"], {"name": role_name}).fetchone())


def _relations(connection: Connection[Any], *kinds: str) -> Sequence[str]:
    cursor = connection.cursor(row_factory=scalar_row)
    return cursor.execute(SQL["relations"], {"kinds": list(kinds)}).fetchall()


def _exists(connection: Connection[Any], name: str) -> bool:
    return connection.execute(SQL["role"], {"name": name}).rowcount == 1


def _create(connection: Connection[Any], role: ServiceRole) -> None:
    """Create the role. The server receives, and can log, only the verifier of its password."""
    statement = sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role.name))
    if role.password is not None:
        verifier = connection.pgconn.encrypt_password(role.password.encode(), role.name.encode(), b"scram-sha-256")
        statement += sql.SQL(" PASSWORD {}").format(sql.Literal(verifier.decode()))
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        msg = (
            f'the role "{role.name}" of SUBUSERS_DATABASE_URL does not exist, and the current role cannot create it: '
            "ask an administrator to create it, then run `subusers migrate` again"
        )
        raise RoleError(msg) from None
