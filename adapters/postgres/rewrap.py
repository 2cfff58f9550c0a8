"""Has everything that a master key wraps be wrapped by the current one, in small steps, while the service goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from eventsourcing.postgres import PostgresDatastore
    from psycopg.rows import DictRow

    from adapters.encryption import MasterKeys

SQL = statements("adapters.postgres", "rewrap")

TABLES = ("service_keys", "vault", "webhooks", "webhook_secrets")
STEP = 200
"""Rows at a time: some milliseconds, during which commands on these few people wait."""

PAUSE = 0.1
"""Seconds until the next look, where there was nothing but what a command holds."""


class Rewrapping:
    """Wraps anew. What is done stays done: whoever is interrupted begins again, and finds the rest.

    A step compares what it replaces with what it read, and passes over what a command holds at that moment: it waits
    for nobody while others wait for it. Whatever it passed over it comes back to.
    """

    def __init__(self, database: PostgresDatastore, master_keys: MasterKeys) -> None:
        self._database = database
        self._master_keys = master_keys

    def count(self) -> Mapping[str, int]:
        """Return how much each master key wraps, by its id."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["count"]).fetchall()
        return {row["master_key_id"]: row["wrapped"] for row in rows}

    @property
    def current_id(self) -> str:
        """The id of the key that wraps."""
        return self._master_keys.current_id

    def older(self) -> int:
        """Return how much is wrapped by other keys than the current one."""
        return sum(wrapped for key_id, wrapped in self.count().items() if key_id != self.current_id)

    def run(self, progress: Callable[[int], None]) -> int:
        """Wrap everything anew; `progress` is told of each step how much it did. Raises `UnknownMasterKey`.

        Returns how much that was.
        """
        total = 0
        while self.older():
            before = total
            for table in TABLES:
                for done in self._passes(table):
                    total += done
                    progress(done)
            if total == before:  # what is left is being written by somebody else
                time.sleep(PAUSE)
        return total

    def _passes(self, table: str) -> Iterator[int]:
        after: Any = None
        while rows := self._next(table, after):
            yield self._rewrap(table, rows)
            after = rows[-1]["id"]

    def _next(self, table: str, after: Any) -> Sequence[DictRow]:
        wanted = {"current": self.current_id, "after": after, "limit": STEP}
        with self._database.get_connection() as connection:
            return connection.execute(SQL[f"next_{table}"], wanted).fetchall()

    def _rewrap(self, table: str, rows: Sequence[DictRow]) -> int:
        keys = self._master_keys
        opened = [keys.unwrap(row["owner"], row["master_key_id"], row["wrapped"]) for row in rows]
        anew = {
            "current": self.current_id,
            "ids": [row["id"] for row in rows],
            "wrapped": [row["wrapped"] for row in rows],
            "anew": [keys.wrap(row["owner"], key) for row, key in zip(rows, opened, strict=True)],
        }
        with self._database.get_connection() as connection:
            return connection.execute(SQL[f"rewrap_{table}"], anew).rowcount
