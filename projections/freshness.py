"""Reads that are never stale: a read waits until the view has what was recorded before the read came in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from application.errors import InvalidValue, ViewBehind
from domain.refusals import AccountNotFound
from projections.event_log import recorded_position
from projections.round_trips import rows_of
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from uuid import UUID

    from psycopg import Connection
    from psycopg.rows import DictRow

SQL = statements("projections", "freshness")

LONGEST_WAIT = 5.0
"""Seconds that a read waits for a view: a hundred times what a follower takes when all is well."""

FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.02


class Database(Protocol):
    """Lends connections whose rows are dictionaries."""

    def get_connection(self) -> AbstractContextManager[Connection[DictRow]]:
        """Lend a connection in autocommit mode."""


class Freshness:
    """Waits for views. Raises `ViewBehind` when one takes too long."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_account(self, account_id: UUID, at_least: int | None) -> None:
        """Wait until the sub-user list has all of this account, and has come to the position asked for.

        Raises `AccountNotFound`.
        """
        wanted: int | None = None

        def is_fresh(connection: Connection[DictRow]) -> bool:
            nonlocal wanted
            ((stored, seen),) = rows_of(connection, SQL["account_versions"], {"account_id": account_id})
            if stored is None:
                raise AccountNotFound
            wanted = stored if wanted is None else wanted
            return seen is not None and seen >= wanted

        self._wait(is_fresh)
        if at_least is not None:
            self.of_view("sub-users", at_least)

    def of_view(self, name: str, at_least: int | None = None) -> None:
        """Wait until a view has everything that was recorded when this was asked, or the position asked for.

        What is recorded is not all settled yet: a view has it as soon as writers that were there before have ended.
        """
        if at_least is not None:
            self._require_drawn(at_least)
        wanted = at_least

        def is_fresh(connection: Connection[DictRow]) -> bool:
            nonlocal wanted
            if wanted is None:
                wanted = recorded_position(connection)
            row = connection.execute(SQL["view_position"], {"name": name}, prepare=True).fetchone()
            return row is not None and row["position"] >= wanted

        self._wait(is_fresh)

    def _require_drawn(self, position: int) -> None:
        """Raise `InvalidValue` for a position that nobody can have been answered: nothing would ever come there."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["last_position"]).fetchone()
        if row is None or position > row["last_value"]:
            raise InvalidValue("Event-Position", "must be a position from an earlier answer")

    def _wait(self, is_fresh: Callable[[Connection[Any]], bool]) -> None:
        deadline = time.monotonic() + LONGEST_WAIT
        pause = FIRST_PAUSE
        while True:
            with self._database.get_connection() as connection:
                if is_fresh(connection):
                    return
            if time.monotonic() > deadline:
                raise ViewBehind
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
