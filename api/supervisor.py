"""`subusers serve`: the doors and the work beside them, as two processes, and the database if it is one of our own.

Whatever of it ends by itself is started again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import structlog

from api.bootstrap import EmbeddedPostgresError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from api.config import Settings

RESTART_AFTER_SECONDS = 1.0
SECONDS_TO_END = 15.0
CHECK_SECONDS = 0.2
DATABASE_CHECK_SECONDS = 2.0

log = structlog.get_logger(__name__)


class Child:
    """A process of this service, running one of its commands."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._restart_at = 0.0

    def keep_running(self) -> None:
        """Start it, or start it again some time after it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            log.error("child.ended", command=self._command, code=self._process.returncode)
            self._process = None
            self._restart_at = time.monotonic() + RESTART_AFTER_SECONDS
        if self._process is None and time.monotonic() >= self._restart_at:
            # In a session of its own, so that Ctrl-C reaches it through its parent, in order.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", self._command, f"--parent={os.getpid()}"],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
            )

    def end(self) -> None:
        """Ask it to end."""
        if self._process is not None:
            self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended, and make it end if it takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def supervise(commands: tuple[str, ...], run_database: Callable[[], Settings], stop: threading.Event) -> None:
    """Keep the database and a process for each command running until told to stop."""
    url = run_database().database_url
    children = [Child(command) for command in commands]
    look_at = time.monotonic() + DATABASE_CHECK_SECONDS
    while not stop.is_set():
        for child in children:
            child.keep_running()
        stop.wait(CHECK_SECONDS)
        if time.monotonic() >= look_at:
            url = _keep_database(url, run_database, children)
            look_at = time.monotonic() + DATABASE_CHECK_SECONDS
    for child in children:
        child.end()
    for child in children:
        child.wait()


def _keep_database(url: str | None, run_database: Callable[[], Settings], children: Sequence[Child]) -> str | None:
    """Have the database run, and where it moved, the children start again: they find it for themselves."""
    try:
        now = run_database().database_url
    except EmbeddedPostgresError as error:
        log.warning("database.ended", error=str(error))
        return url
    if now != url:
        log.warning("database.moved")
        for child in children:
            child.end()
    return now
