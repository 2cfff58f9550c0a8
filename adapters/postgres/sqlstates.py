"""Classification of PostgreSQL errors: outages of the database, and errors of statements."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg


@dataclass(frozen=True)
class Outage:
    """A failure of the database rather than of a statement. After a fatal one the connection is unusable."""

    name: str
    is_fatal: bool = False


OUTAGES = {
    "08": Outage("connection failure", is_fatal=True),
    "25006": Outage("read-only database", is_fatal=True),
    "25P03": Outage("idle in transaction for too long", is_fatal=True),
    "25P04": Outage("transaction took too long", is_fatal=True),
    "40": Outage("transaction rolled back by a conflict"),
    "53": Outage("insufficient resources"),
    "55P03": Outage("lock not available"),
    "57014": Outage("statement took too long"),
    "57P": Outage("shutdown, crash or start of the server", is_fatal=True),
    "58": Outage("input or output error of the server"),
    "XX": Outage("internal error or corrupted data of the server"),
}
"""Outages by SQLSTATE or a prefix of it (PostgreSQL documentation, appendix A)."""

LOST = Outage("lost connection", is_fatal=True)
"""A libpq error without SQLSTATE: the server did not respond."""


def outage_of(error: psycopg.Error) -> Outage | None:
    """Return the outage that an error reports; None if the statement caused it."""
    sqlstate = sqlstate_of(error)
    if sqlstate is None:
        return LOST if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else None
    prefixes = (sqlstate[:length] for length in (5, 3, 2))
    return next((OUTAGES[prefix] for prefix in prefixes if prefix in OUTAGES), None)


def sqlstate_of(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error or of its cause; None if the server did not respond."""
    sqlstate = error.sqlstate if isinstance(error, psycopg.Error) else None
    return sqlstate or (sqlstate_of(error.__cause__) if error.__cause__ is not None else None)


def describe(error: BaseException) -> dict[str, str | None]:
    """Return log fields for an error, without statements and without details, which may quote rows."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    if not isinstance(cause, psycopg.Error):
        return {"error": type(error).__name__}
    outage = outage_of(cause)
    log_fields = {"error": type(cause).__name__, "sqlstate": sqlstate_of(cause)}
    if outage is None:
        return log_fields
    return {**log_fields, "kind": outage.name, "reason": next(iter(str(cause).splitlines()), "")}
