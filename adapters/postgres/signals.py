"""Post-commit NOTIFY to the followers in all processes. Delivery is best effort; followers also poll."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import structlog

from adapters.postgres.prepared_statements import fetch_all
from adapters.postgres.sqlstates import describe

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNEL = "subusers_events"
MIN_INTERVAL_SECONDS = 0.01
"""Minimum interval between two signals. NOTIFY serializes commits, so many commits share one signal."""

RECONNECT_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Signals:
    """Sends NOTIFY from its own thread and connection."""

    def __init__(self, connect: Callable[[], psycopg.Connection]) -> None:
        self._connect = connect
        self._requested = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def signal(self) -> None:
        """Request a NOTIFY, without waiting for it."""
        if self._thread is None:
            self._start()
        self._requested.set()

    def close(self) -> None:
        """Stop the thread."""
        self._closing.set()
        self._requested.set()
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
                    self._send_requested(connection)
            except psycopg.Error as error:  # followers poll, so no event is missed
                log.warning("signals.disconnected", **describe(error))
                self._closing.wait(RECONNECT_PAUSE_SECONDS)

    def _send_requested(self, connection: psycopg.Connection) -> None:
        sent_at = time.monotonic() - MIN_INTERVAL_SECONDS
        while not self._closing.is_set():
            self._requested.wait()
            pause = sent_at + MIN_INTERVAL_SECONDS - time.monotonic()
            if pause > 0:
                self._closing.wait(pause)
            self._requested.clear()
            sent_at = time.monotonic()
            fetch_all(connection, f"NOTIFY {CHANNEL}", {})
