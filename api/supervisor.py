"""`subusers serve`: the doors and the work beside them, as two processes that are started again when they fail."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import threading

RESTART_AFTER_SECONDS = 1.0
SECONDS_TO_END = 15.0
CHECK_SECONDS = 0.2

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
                [sys.executable, "-m", "api.cli", self._command], start_new_session=True, stdin=subprocess.DEVNULL
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


def supervise(commands: tuple[str, ...], stop: threading.Event) -> None:
    """Keep a process running for each command until told to stop."""
    children = [Child(command) for command in commands]
    while not stop.is_set():
        for child in children:
            child.keep_running()
        stop.wait(CHECK_SECONDS)
    for child in children:
        child.end()
    for child in children:
        child.wait()
