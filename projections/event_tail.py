"""Waiting for the end of the history to move: one connection a process, however many wait."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from projections.event_log import settled_position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection

POLL_SECONDS = 0.25
AT_MOST_EVERY = 0.02
"""Seconds between two looks: those who wait share what comes in a burst."""

RECONNECT_SECONDS = 1.0

log = structlog.get_logger(__name__)


class EventTail:
    """Knows the settled position while anybody waits for it to grow. NOTIFY is a hint; polling is the promise."""

    def __init__(self, connect: Callable[[], Connection[Any]], channel: str) -> None:
        self._connect = connect
        self._channel = channel
        self._moved = threading.Condition()
        self._position = 0
        self._waiting = 0
        self._watching = False
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether nobody is to wait any more."""
        return self._ended

    def end(self) -> None:
        """Have nobody wait any more."""
        with self._moved:
            self._ended = True
            self._moved.notify_all()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Have the end of the history watched meanwhile."""
        with self._moved:
            self._waiting += 1
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="event tail", daemon=True).start()
        try:
            yield
        finally:
            with self._moved:
                self._waiting -= 1

    def wait_beyond(self, position: int, seconds: float) -> bool:
        """Wait until there is something after a position, and say whether there is. To be called while watched."""
        with self._moved:
            self._moved.wait_for(lambda: self._ended or self._position > position, seconds)
            return self._position > position

    def _watch(self) -> None:
        while self._is_wanted():
            try:
                with self._connect() as connection:
                    connection.execute(f'LISTEN "{self._channel}"')
                    while self._is_wanted():
                        self._look(connection)
                    return
            except psycopg.Error as error:
                log.warning("event_tail.disconnected", error=type(error).__name__)
                time.sleep(RECONNECT_SECONDS)

    def _look(self, connection: Connection[Any]) -> None:
        position = settled_position(connection)
        with self._moved:
            if position > self._position:
                self._position = position
                self._moved.notify_all()
        time.sleep(AT_MOST_EVERY)
        for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
            pass

    def _is_wanted(self) -> bool:
        """Say whether anybody waits; if nobody does, this watch is over, and the next to wait starts another."""
        with self._moved:
            self._watching = self._waiting > 0 and not self._ended
            return self._watching
