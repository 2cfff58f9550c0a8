"""Makes a view anew from the whole history, beside the live one, and swaps it in."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.rows import class_row, tuple_row

from projections.event_log import events_after, recorded_position, settled_position
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from psycopg import Connection

    from projections.follower import View

SQL = statements("projections", "rebuild")
BATCH = 20_000
"""Events that are applied in one transaction: a view that writes rows anew writes each of them once in so many."""

CLOSE_ENOUGH = 500
"""Events that may be left to apply while the live view stands still for the swap."""

SECONDS_TO_LET_BY = 0.5
"""For those who were at the tables when they were to be swapped."""


@dataclass(frozen=True)
class Index:
    """An index of a table. `definition` is the same for the live table and its copy."""

    name: str
    definition: LiteralString
    is_primary: bool
    is_unique: bool


class NotRebuildable(Exception):
    """This view is no mere derivative of the history: it cannot be rebuilt."""


def rebuild(view: View, connection: Connection[Any], progress: Callable[[int, int], None]) -> int:
    """Rebuild a view while the live one goes on, swap it in, and return the position it stands at.

    `progress` is told how many positions of how many are done. The tables of the new view live in a schema of their
    own until the swap; the view's own statements find them there by the search path.
    """
    if not view.tables:
        raise NotRebuildable
    schema = _schema(view)
    _prepare(view, connection, schema)
    try:
        return _rebuild_in(schema, view, connection, progress)
    finally:
        _drop(connection, schema)


def drop_abandoned(views: Iterable[View], connection: Connection[Any]) -> None:
    """Drop what rebuilds left behind that were killed: it holds names that nobody would erase there.

    This is for the running service, whose role may define and drop nothing by itself.
    """
    for view in views:
        with connection.transaction():
            cursor = connection.cursor(row_factory=tuple_row)
            left = cursor.execute(SQL["abandoned"], {"schema": _schema(view), "name": view.name}).fetchone()
            if left is not None and left[0]:
                connection.execute(SQL["drop"], {"schema": _schema(view)})


def _schema(view: View) -> str:
    return "rebuild_" + view.name.replace("-", "_")


def _drop(connection: Connection[Any], schema: str) -> None:
    if not connection.closed:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def _rebuild_in(schema: str, view: View, connection: Connection[Any], progress: Callable[[int, int], None]) -> int:
    connection.execute(sql.SQL("SET search_path = {}, public").format(sql.Identifier(schema)))
    position = _caught_up(view, connection, 0, progress)
    for table in view.tables:
        _index(connection, schema, table)
    position = _caught_up(view, connection, position, progress)
    while (swapped := _swapped(schema, view, connection, position)) is None:
        time.sleep(SECONDS_TO_LET_BY)
        position = _caught_up(view, connection, position, progress)
    connection.execute("RESET search_path")
    progress(swapped, swapped)
    return swapped


def _caught_up(view: View, connection: Connection[Any], position: int, progress: Callable[[int, int], None]) -> int:
    """Apply what has come by now but for a little, while the live view goes on, and return the position reached."""
    while (bound := settled_position(connection)) - position > CLOSE_ENOUGH:
        position = _apply_next(view, connection, position)
        progress(position, bound)
    return position


def _swapped(schema: str, view: View, connection: Connection[Any], position: int) -> int | None:
    """Apply the rest, swap the new view in, and return where it stands; None if others were at the tables for long."""
    with suppress(LockNotAvailable, DeadlockDetected), connection.transaction():
        reached = min(_hold_live_view(view, connection), recorded_position(connection))
        while (following := _apply_next(view, connection, position)) != position or position < reached:
            position = following
        connection.execute(SQL["give_up_soon"])
        _swap(view, connection, schema)
        connection.execute(SQL["set_position"], {"name": view.name, "position": position})
        return position
    return None


def _hold_live_view(view: View, connection: Connection[Any]) -> int:
    """Have the live view stand still, and return where: the new one is not to stand before it."""
    row = connection.cursor(row_factory=tuple_row).execute(SQL["hold_live_view"], {"name": view.name}).fetchone()
    return int(row[0]) if row is not None else 0


def _apply_next(view: View, connection: Connection[Any], position: int) -> int:
    with connection.transaction():
        batch = events_after(connection, position, BATCH)
        if batch:
            view.apply(connection, batch)
    return batch[-1].position if batch else position


def _prepare(view: View, connection: Connection[Any], schema: str) -> None:
    name = sql.Identifier(schema)
    connection.execute(SQL["alone"], {"name": view.name})
    with connection.transaction():
        connection.execute(SQL["start"], {"name": view.name})
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        for table in view.tables:
            connection.execute(
                sql.SQL("CREATE TABLE {}.{} (LIKE public.{} INCLUDING ALL)").format(
                    name, sql.Identifier(table), sql.Identifier(table)
                )
            )
            _copy_what_like_leaves_out(connection, schema, table)
            _leave_for_later(connection, schema, table)


def _leave_for_later(connection: Connection[Any], schema: str, table: str) -> None:
    """Drop the indexes that no statement of the view's needs: they are made faster of all rows at once."""
    for index in _indexes(connection, schema, table):
        if not index.is_unique:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(schema, index.name)))


def _index(connection: Connection[Any], schema: str, table: str) -> None:
    """Give the new table the indexes of the live one that it has not, and tell the planner what is in it."""
    there = {index.definition for index in _indexes(connection, schema, table)}
    for index in _indexes(connection, "public", table):
        if index.definition not in there:
            create = sql.SQL("CREATE INDEX {} ON {} USING {}").format(
                sql.Identifier(index.name), sql.Identifier(schema, table), sql.SQL(index.definition)
            )
            connection.execute(create)
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))


def _copy_what_like_leaves_out(connection: Connection[Any], schema: str, table: str) -> None:
    """Give the new table the storage options of the live one, and let the same roles use it."""
    cursor = connection.cursor(row_factory=tuple_row)
    copy = sql.Identifier(schema, table)
    for option, value in cursor.execute(SQL["options"], {"table": table}).fetchall():
        connection.execute(
            sql.SQL("ALTER TABLE {} SET ({} = {})").format(copy, sql.Identifier(option), sql.Literal(value))
        )
    for privilege, role in cursor.execute(SQL["grants"], {"table": table}).fetchall():
        connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(privilege), copy, sql.Identifier(role)))


def _swap(view: View, connection: Connection[Any], schema: str) -> None:
    """Put the new tables in the place of the live ones, under the same names, indexes and all."""
    for table in view.tables:
        live = {(one.definition, one.is_primary): one.name for one in _indexes(connection, "public", table)}
        connection.execute(sql.SQL("DROP TABLE public.{}").format(sql.Identifier(table)))
        rebuilt = _indexes(connection, schema, table)
        connection.execute(
            sql.SQL("ALTER TABLE {}.{} SET SCHEMA public").format(sql.Identifier(schema), sql.Identifier(table))
        )
        for made in rebuilt:
            wanted = live[made.definition, made.is_primary]
            if made.name != wanted:
                names = sql.Identifier("public", made.name), sql.Identifier(wanted)
                connection.execute(sql.SQL("ALTER INDEX {} RENAME TO {}").format(*names))
    connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))


def _indexes(connection: Connection[Any], schema: str, table: str) -> Sequence[Index]:
    cursor = connection.cursor(row_factory=class_row(Index))
    return cursor.execute(SQL["indexes"], {"schema": schema, "table": table}).fetchall()
