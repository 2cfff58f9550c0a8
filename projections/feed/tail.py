"""Waiting for new settled events: one database connection per process, shared by all waiting threads."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from adapters.postgres.event_store.settled_reads import settled_position
from adapters.postgres.sqlstates import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection

POLL_SECONDS = 0.25
MIN_POLL_INTERVAL_SECONDS = 0.02
"""Pause between two reads of the settled position, so that one wakeup covers a burst of events."""

RECONNECT_SECONDS = 1.0

log = structlog.get_logger(__name__)


class EventTail:
    """Watches the settled position while any thread waits for it to grow. NOTIFY only shortens the polling."""

    def __init__(self, connect: Callable[[], Connection[Any]], channel: str) -> None:
        self._connect = connect
        self._channel = channel
        self._moved = threading.Condition()
        self._position = 0
        self._waiter_count = 0
        self._watching = False
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the tail has ended: waits return at once."""
        return self._ended

    def end(self) -> None:
        """Wake all waiting threads, and let later waits return at once."""
        with self._moved:
            self._ended = True
            self._moved.notify_all()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the settled position for the duration of the block."""
        with self._moved:
            self._waiter_count += 1
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="event tail", daemon=True).start()
        try:
            yield
        finally:
            with self._moved:
                self._waiter_count -= 1

    def wait_beyond(self, position: int, seconds: float) -> bool:
        """Wait until there is an event after a position, and return whether there is.

        Call this inside `watched()`.
        """
        with self._moved:
            self._moved.wait_for(lambda: self._ended or self._position > position, seconds)
            return self._position > position

    def _watch(self) -> None:
        while self._has_waiters():
            try:
                with self._connect() as connection:
                    connection.execute(f'LISTEN "{self._channel}"')
                    self._position = 0  # the store may have gone back
                    while self._has_waiters():
                        self._poll(connection)
                    return
            except psycopg.Error as error:
                log.warning("event_tail.disconnected", **describe(error))
                time.sleep(RECONNECT_SECONDS)

    def _poll(self, connection: Connection[Any]) -> None:
        position = settled_position(connection)
        with self._moved:
            if position > self._position:
                self._position = position
                self._moved.notify_all()
        time.sleep(MIN_POLL_INTERVAL_SECONDS)
        for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
            pass

    def _has_waiters(self) -> bool:
        """Return whether any thread waits. If not, this watch ends, and the next waiting thread starts another."""
        with self._moved:
            self._watching = self._waiter_count > 0 and not self._ended
            return self._watching
