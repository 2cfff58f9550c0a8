"""Rebuild of a view from the whole event history while the live one stays in use, with an atomic swap at the end."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.rows import class_row, scalar_row

from adapters.postgres.event_store.settled_reads import events_after, recorded_position, settled_position
from adapters.postgres.prepared_statements import named_row
from adapters.postgres.sql_files import statements
from projections.runtime.follower_status import register_follower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from psycopg import Connection

    from projections.runtime.projection_follower import Projection

SQL = statements("projections.runtime", "rebuild")
BATCH = 20_000
"""Events applied in one transaction. A large batch helps views that update rows: each row is written once per batch."""

MAX_EVENTS_AT_SWAP = 500
"""Maximum number of events to apply while the live view is locked for the swap."""

SWAP_RETRY_SECONDS = 0.5
"""Pause after a failed swap, so that readers of the tables can finish."""


@dataclass(frozen=True)
class Index:
    """Index of a table. `definition` is the same for the live table and its copy."""

    name: str
    definition: LiteralString
    is_primary: bool
    is_unique: bool


class NotRebuildable(Exception):
    """This view cannot be rebuilt: it holds more than the event history does."""


def rebuild(view: Projection, connection: Connection[Any], progress: Callable[[int, int], None]) -> int:
    """Rebuild a view while the live one stays in use, swap it in, and return its position.

    `progress` is called with the position reached and the last position. Until the swap, the new tables are in a schema
    of their own, which comes first on the search path of the view's statements.
    """
    if not view.tables:
        raise NotRebuildable
    schema = _schema(view)
    _prepare(view, connection, schema)
    try:
        return _rebuild_in(schema, view, connection, progress)
    finally:
        _drop(connection, schema)


def drop_abandoned(views: Iterable[Projection], connection: Connection[Any]) -> None:
    """Drop the schemas that killed rebuilds left behind: an erasure would not delete the names in them.

    The running service calls this. Its own database role may neither create nor drop tables.
    """
    for view in views:
        with connection.transaction():
            cursor = connection.cursor(row_factory=scalar_row)
            if cursor.execute(SQL["abandoned"], {"schema": _schema(view), "name": view.name}).fetchone():
                connection.execute(SQL["drop"], {"schema": _schema(view)})


def _schema(view: Projection) -> str:
    return "rebuild_" + view.name.replace("-", "_")


def _drop(connection: Connection[Any], schema: str) -> None:
    if not connection.closed:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def _rebuild_in(
    schema: str, view: Projection, connection: Connection[Any], progress: Callable[[int, int], None]
) -> int:
    connection.execute(sql.SQL("SET search_path = {}, public, pg_temp").format(sql.Identifier(schema)))
    position = _catch_up(view, connection, 0, progress)
    for table in view.tables:
        _create_indexes(connection, schema, table)
    position = _catch_up(view, connection, position, progress)
    while (swapped_at := _try_swap(schema, view, connection, position)) is None:
        time.sleep(SWAP_RETRY_SECONDS)
        position = _catch_up(view, connection, position, progress)
    connection.execute("RESET search_path")
    progress(swapped_at, swapped_at)
    return swapped_at


def _catch_up(
    view: Projection, connection: Connection[Any], position: int, progress: Callable[[int, int], None]
) -> int:
    """Apply events until few enough remain for a swap, while the live view stays in use, and return the position."""
    while (end := settled_position(connection)) - position > MAX_EVENTS_AT_SWAP:
        position = _apply_next(view, connection, position)
        progress(position, end)
    return position


def _try_swap(schema: str, view: Projection, connection: Connection[Any], position: int) -> int | None:
    """Apply the remaining events, swap the new view in, and return its position.

    Returns None if other transactions held the tables for too long.
    """
    with suppress(LockNotAvailable, DeadlockDetected), connection.transaction():
        live_position = min(_lock_live_position(view, connection), recorded_position(connection))
        while (next_position := _apply_next(view, connection, position)) != position or position < live_position:
            position = next_position
        connection.execute(SQL["set_lock_timeout"])
        _swap(view, connection, schema)
        connection.execute(SQL["set_position"], {"name": view.name, "position": position})
        return position
    return None


def _lock_live_position(view: Projection, connection: Connection[Any]) -> int:
    """Lock the live view, and return its position: the new view must not be behind it."""
    cursor = connection.cursor(row_factory=scalar_row)
    return int(cursor.execute(SQL["lock_live_position"], {"name": view.name}).fetchone() or 0)


def _apply_next(view: Projection, connection: Connection[Any], position: int) -> int:
    with connection.transaction():
        batch = events_after(connection, position, BATCH)
        if batch:
            view.apply(connection, batch)
    return batch[-1].position if batch else position


def _prepare(view: Projection, connection: Connection[Any], schema: str) -> None:
    name = sql.Identifier(schema)
    connection.execute(SQL["lock_rebuild"], {"name": view.name})
    with connection.transaction():
        register_follower(view.name, connection)
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        for table in view.tables:
            connection.execute(
                sql.SQL("CREATE TABLE {}.{} (LIKE public.{} INCLUDING ALL)").format(
                    name, sql.Identifier(table), sql.Identifier(table)
                )
            )
            _copy_options_and_grants(connection, schema, table)
            _drop_plain_indexes(connection, schema, table)


def _drop_plain_indexes(connection: Connection[Any], schema: str, table: str) -> None:
    """Drop indexes other than unique ones: no statement of the view needs them, and a bulk build is faster."""
    for index in _indexes(connection, schema, table):
        if not index.is_unique:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(schema, index.name)))


def _create_indexes(connection: Connection[Any], schema: str, table: str) -> None:
    """Create the indexes that the live table has and the new one lacks, and update the planner's statistics."""
    existing_definitions = {index.definition for index in _indexes(connection, schema, table)}
    for index in _indexes(connection, "public", table):
        if index.definition not in existing_definitions:
            create = sql.SQL("CREATE INDEX {} ON {} USING {}").format(
                sql.Identifier(index.name), sql.Identifier(schema, table), sql.SQL(index.definition)
            )
            connection.execute(create)
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))


def _copy_options_and_grants(connection: Connection[Any], schema: str, table: str) -> None:
    """Copy storage options and grants from the live table: `LIKE … INCLUDING ALL` leaves them out."""
    cursor = connection.cursor(row_factory=named_row)
    copy = sql.Identifier(schema, table)
    for row in cursor.execute(SQL["options"], {"table": table}).fetchall():
        option, value = sql.Identifier(row.option_name), sql.Literal(row.option_value)
        connection.execute(sql.SQL("ALTER TABLE {} SET ({} = {})").format(copy, option, value))
    for row in cursor.execute(SQL["grants"], {"table": table}).fetchall():
        grant = sql.SQL("GRANT {} ON {} TO {}")
        connection.execute(grant.format(sql.SQL(row.privilege_type), copy, sql.Identifier(row.role)))


def _swap(view: Projection, connection: Connection[Any], schema: str) -> None:
    """Replace the live tables by the new ones, under the same table and index names."""
    for table in view.tables:
        live_names = {
            (index.definition, index.is_primary): index.name for index in _indexes(connection, "public", table)
        }
        connection.execute(sql.SQL("DROP TABLE public.{}").format(sql.Identifier(table)))
        rebuilt_indexes = _indexes(connection, schema, table)
        connection.execute(
            sql.SQL("ALTER TABLE {}.{} SET SCHEMA public").format(sql.Identifier(schema), sql.Identifier(table))
        )
        for index in rebuilt_indexes:
            live_name = live_names[index.definition, index.is_primary]
            if index.name != live_name:
                names = sql.Identifier("public", index.name), sql.Identifier(live_name)
                connection.execute(sql.SQL("ALTER INDEX {} RENAME TO {}").format(*names))
    connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))


def _indexes(connection: Connection[Any], schema: str, table: str) -> Sequence[Index]:
    cursor = connection.cursor(row_factory=class_row(Index))
    return cursor.execute(SQL["indexes"], {"schema": schema, "table": table}).fetchall()
