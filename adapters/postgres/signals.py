"""Tells followers, in whatever process, that there may be something new: a hint, after the commit, never a promise."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import structlog

from projections.round_trips import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNEL = "subusers_events"
AT_MOST_EVERY = 0.01
"""Seconds between two signals: a NOTIFY serializes commits, so many commits share one."""

RECONNECT_AFTER = 1.0

log = structlog.get_logger(__name__)


class Signals:
    """Sends NOTIFY from a connection and a thread of its own, many commits with one."""

    def __init__(self, connect: Callable[[], psycopg.Connection]) -> None:
        self._connect = connect
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def signal(self) -> None:
        """Have followers look soon."""
        if self._thread is None:
            self._start()
        self._wanted.set()

    def close(self) -> None:
        """Stop."""
        self._closing.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="signals", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with self._connect() as connection:
                    self._serve(connection)
            except psycopg.Error as error:  # followers poll, so nothing is lost meanwhile
                log.warning("signals.disconnected", error=type(error).__name__)
                self._closing.wait(RECONNECT_AFTER)

    def _serve(self, connection: psycopg.Connection) -> None:
        sent = time.monotonic() - AT_MOST_EVERY
        while not self._closing.is_set():
            self._wanted.wait()
            pause = sent + AT_MOST_EVERY - time.monotonic()
            if pause > 0:
                self._closing.wait(pause)
            self._wanted.clear()
            sent = time.monotonic()
            rows_of(connection, f"NOTIFY {CHANNEL}", {})
