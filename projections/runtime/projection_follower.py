"""Follower that keeps one view up to date with the event store.

One transaction applies a batch of settled events and stores the position. Followers poll; a NOTIFY only wakes them
earlier. One process leads each follower, and another takes over when its connection is lost. An event that cannot be
applied stops its follower: the failure is recorded, and the event is tried again until it can be applied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg.rows import scalar_row

from adapters.postgres.event_store.settled_reads import events_after, recorded_position
from adapters.postgres.sql_files import statements
from application.errors import StoreUnavailable
from projections.runtime.follower_loop import run_as_leader
from projections.runtime.follower_status import record_failure, register_follower

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent

SQL = statements("projections.runtime", "projection_follower")

BATCH = 500
POLL_SECONDS = 0.25
INITIAL_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 30.0


class Projection(Protocol):
    """A view or a queue derived from the event history."""

    @property
    def name(self) -> str:
        """Name of the follower in tables, logs and commands."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that a rebuild creates from scratch. A projection without tables cannot be rebuilt."""

    def apply(self, connection: Connection[Any], batch: Sequence[RecordedEvent]) -> None:
        """Apply these events in the current transaction."""


class EventNotApplied(Exception):
    """The follower cannot go on at `position`.

    `batch_size` is the number of events in the batch that failed. If it is 1, that event cannot be applied, or the
    store ends before `position`.
    """

    def __init__(self, position: int, failure: Exception, batch_size: int = 1) -> None:
        super().__init__(f"{type(failure).__name__}: {_message(failure)}")
        self.position = position
        self.batch_size = batch_size


class PositionBeyondStore(Exception):
    """The follower's position is beyond the end of the store, which has lost events."""


def require_within_store(connection: Connection[Any], position: int) -> None:
    """Raise `EventNotApplied` if the store ends before a position: a follower waiting there would skip new events."""
    end = recorded_position(connection)
    if position > end:
        raise EventNotApplied(position, PositionBeyondStore(f"the store ends at {end}"))


def _message(failure: Exception) -> str:
    """Return the error's message without PostgreSQL's details, which contain whole rows with names in plain text."""
    primary = failure.diag.message_primary if isinstance(failure, psycopg.Error) else None
    return primary or str(failure)


class ProjectionFollower:
    """Keeps one view up to date. `channel` is the name of the NOTIFY channel."""

    def __init__(self, view: Projection, connect: Callable[[], Connection[Any]], channel: str) -> None:
        self.view = view
        self._connect = connect
        self._channel = channel

    def run(self, stop: threading.Event) -> None:
        """Follow the event store until `stop` is set, through lost connections and events that cannot be applied."""
        run_as_leader(self.view.name, self._connect, stop, self._follow)

    def catch_up(self) -> None:
        """Apply all settled events now, even if another process leads.

        For callers that cannot wait for the leader. Raises `EventNotApplied`.
        """
        with self._connect() as connection:
            register_follower(self.view.name, connection)
            limit = BATCH
            while True:
                try:
                    if not self.step(connection, limit):
                        return
                except EventNotApplied as error:
                    if error.batch_size == 1:
                        raise
                    limit = error.batch_size // 2

    def step(self, connection: Connection[Any], limit: int = BATCH) -> int:
        """Apply one batch, and return the number of its events. Raises `EventNotApplied`."""
        with connection.transaction():
            position = self._locked_position(connection)
            events = events_after(connection, position, limit)
            if events:
                self._apply(connection, events)
                connection.execute(SQL["advance_position"], {"name": self.view.name, "position": events[-1].position})
            else:
                require_within_store(connection, position)
        return len(events)

    def _apply(self, connection: Connection[Any], events: Sequence[RecordedEvent]) -> None:
        try:
            self.view.apply(connection, events)
        except StoreUnavailable:
            raise
        except Exception as error:
            if connection.closed:
                raise
            raise EventNotApplied(events[0].position, error, len(events)) from error

    def _locked_position(self, connection: Connection[Any]) -> int:
        cursor = connection.cursor(row_factory=scalar_row)
        return int(cursor.execute(SQL["lock_position"], {"name": self.view.name}).fetchone() or 0)

    def _follow(self, connection: Connection[Any], stop: threading.Event) -> None:
        connection.execute(f'LISTEN "{self._channel}"')
        backoff, limit = INITIAL_BACKOFF_SECONDS, BATCH
        while not stop.is_set():
            try:
                applied = self.step(connection, limit)
            except EventNotApplied as error:
                if error.batch_size > 1:  # apply the events before the failing one, then report it
                    limit = error.batch_size // 2
                    continue
                record_failure(self.view.name, connection, error.position, error)
                stop.wait(backoff)
                backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
                continue
            was_full = applied == limit
            backoff, limit = INITIAL_BACKOFF_SECONDS, min(limit * 2, BATCH)
            if not was_full:
                for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass
