"""The loop by which everything that is derived from the history keeps up with it.

A batch of settled events is applied and the position stored in one transaction. Followers poll, and take a NOTIFY for a
hint only. One process leads each follower; another takes over when its connection is gone. An event that cannot be
applied stops this follower, for all to see, until it can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg.rows import tuple_row

from application.errors import StoreUnavailable
from projections.event_log import events_after
from projections.leadership import SQL, lead, show_failure

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from projections.event_log import Positioned

BATCH = 500
POLL_SECONDS = 0.25
FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 30.0


class View(Protocol):
    """Something derived from the history."""

    @property
    def name(self) -> str:
        """By which it is known in tables, logs and commands."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that a rebuild makes anew; without any it cannot be rebuilt."""

    def apply(self, connection: Connection[Any], batch: Sequence[Positioned]) -> None:
        """Take over these events, in the transaction that is open."""


class EventNotApplied(Exception):
    """A view failed on the event at `position`."""

    def __init__(self, position: int, failure: Exception) -> None:
        super().__init__(f"{type(failure).__name__}: {_told(failure)}")
        self.position = position


def _told(failure: Exception) -> str:
    """Return what went wrong, without what PostgreSQL adds in detail: that has whole rows, with names in the clear."""
    primary = failure.diag.message_primary if isinstance(failure, psycopg.Error) else None
    return primary or str(failure)


class Follower:
    """Has one view follow the history."""

    def __init__(self, view: View, connect: Callable[[], Connection[Any]], channel: str) -> None:
        self.view = view
        self._connect = connect
        self._channel = channel

    def run(self, stop: threading.Event) -> None:
        """Follow until told to stop, through lost connections and events that cannot be applied."""
        lead(self.view.name, self._connect, stop, self._follow)

    def catch_up(self) -> None:
        """Apply what there is, whether or not some process leads: for whoever cannot wait for one that does."""
        with self._connect() as connection:
            connection.execute(SQL["start"], {"name": self.view.name})
            while self.step(connection):
                pass

    def step(self, connection: Connection[Any], limit: int = BATCH) -> int:
        """Apply one batch, and return how many events it had. Raises `EventNotApplied`."""
        with connection.transaction():
            position = self._locked_position(connection)
            events = events_after(connection, position, limit)
            if events:
                self._apply(connection, events)
                connection.execute(SQL["move"], {"name": self.view.name, "position": events[-1].position})
        return len(events)

    def _apply(self, connection: Connection[Any], events: Sequence[Positioned]) -> None:
        try:
            self.view.apply(connection, events)
        except StoreUnavailable:
            raise
        except Exception as error:
            if connection.closed:
                raise
            raise EventNotApplied(events[0].position, error) from error

    def _locked_position(self, connection: Connection[Any]) -> int:
        cursor = connection.cursor(row_factory=tuple_row)
        row = cursor.execute(SQL["lock_position"], {"name": self.view.name}).fetchone()
        return int(row[0]) if row else 0

    def _follow(self, connection: Connection[Any], stop: threading.Event) -> None:
        connection.execute(f'LISTEN "{self._channel}"')
        backoff, one_by_one = FIRST_BACKOFF_SECONDS, 0
        while not stop.is_set():
            limit = 1 if one_by_one else BATCH
            try:
                applied = self.step(connection, limit)
            except EventNotApplied as error:
                show_failure(self.view.name, connection, error.position, error)
                if one_by_one:
                    stop.wait(backoff)
                    backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
                else:
                    one_by_one = BATCH  # so that what comes before it is applied, and the failure names it
                continue
            backoff, one_by_one = FIRST_BACKOFF_SECONDS, max(0, one_by_one - applied)
            if applied < limit:
                for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass
