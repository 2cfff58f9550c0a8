"""Supervisor of the service's processes: starts them, restarts those that end, and replaces those that hang."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from api.bootstrap.embedded_database import EmbeddedPostgresError
from api.runtime.processes import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.bootstrap.config import Settings
    from api.runtime.heartbeats import Heartbeat
    from api.runtime.processes import SignalPipe

CHECK_SECONDS = 0.25
DATABASE_CHECK_SECONDS = 2.0
MIN_BACK_OFF_SECONDS, MAX_BACK_OFF_SECONDS = 0.1, 5.0
HEALTHY_AFTER_SECONDS = 10.0
"""Uptime after which a process restarts with the minimum back-off."""

SHUTDOWN_SECONDS = 15.0
"""Deadline of a process that was asked to end. Its running requests have 10 seconds."""

STUCK_SHUTDOWN_SECONDS = 3.0
SUSPENSION_SECONDS = 2.0
"""Gap between checks that indicates a suspended machine. After it, processes must not count as stuck at once."""

POOL_FACTOR = 3
"""Worker threads may be silent for this multiple of the watchdog time.

Without a database, threads wait for up to 13 seconds: 5 to connect and 8 for an exchange
(`adapters/postgres/deadlines.py`)."""

log = structlog.get_logger(__name__)


class Child:
    """A supervised process, which runs a function."""

    def __init__(self, name: str, run: Callable[[], int], heartbeat: Heartbeat | None = None) -> None:
        self.name = name
        self.pid: int | None = None
        self._run = run
        self._heartbeat = heartbeat
        self._started_at = 0.0
        self._start_at = 0.0
        self._back_off = MIN_BACK_OFF_SECONDS
        self._kill_at: float | None = None
        self._heartbeat_baseline = 0.0
        if heartbeat is not None:
            heartbeat.clear()

    def start_if_due(self, now: float) -> None:
        """Start the process unless it runs or its back-off has not passed."""
        if self.pid is not None or now < self._start_at:
            return
        if self._heartbeat is not None:
            self._heartbeat.reset()
        self._started_at = self._heartbeat_baseline = now
        self._kill_at = None
        self.pid = fork(f"subusers {self.name}", self._run)

    def reap(self, now: float) -> None:
        """Reap the process if it has ended."""
        if self.pid is None:
            return
        with suppress(ChildProcessError):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == 0:
                return
            log.error("child.ended", child=self.name, pid=pid, code=os.waitstatus_to_exitcode(status))
        self.pid = None
        if self._heartbeat is not None:
            self._heartbeat.clear()
        is_healthy = now - self._started_at > HEALTHY_AFTER_SECONDS
        self._back_off = MIN_BACK_OFF_SECONDS if is_healthy else min(2 * self._back_off, MAX_BACK_OFF_SECONDS)
        self._start_at = now + self._back_off

    def replace_if_stuck(self, now: float, watchdog_seconds: float) -> None:
        """Ask the process to end if its heartbeat stopped, and kill it if it does not end."""
        if self.pid is None or self._heartbeat is None:
            return
        if self._kill_at is not None:
            if now > self._kill_at:
                self.send(signal.SIGKILL)
            return
        loop_silence = now - max(self._heartbeat.loop_beat, self._heartbeat_baseline)
        pool_silence = now - max(self._heartbeat.pool_beat, self._heartbeat_baseline)
        if loop_silence > watchdog_seconds or pool_silence > POOL_FACTOR * watchdog_seconds:
            log.error(
                "child.stuck",
                child=self.name,
                pid=self.pid,
                loop_silent=round(loop_silence, 1),
                threads_silent=round(pool_silence, 1),
            )
            self._kill_at = now + STUCK_SHUTDOWN_SECONDS
            self.send(signal.SIGTERM)

    def reset_heartbeat_baseline(self, now: float) -> None:
        """Ignore earlier silence, because the supervisor itself did not run."""
        self._heartbeat_baseline = now

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process if it runs."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class DatabaseKeeper:
    """Keeps the database running. `settings` has its current address.

    `start` starts it unless it runs, and returns the settings.
    """

    def __init__(self, start: Callable[[], Settings]) -> None:
        self._start = start
        self.settings = start()
        self._check_at = time.monotonic() + DATABASE_CHECK_SECONDS

    def restart_if_ended(self) -> bool:
        """Restart the database if it has ended, and return whether its address changed."""
        if time.monotonic() < self._check_at:
            return False
        try:
            settings = self._start()
        except EmbeddedPostgresError as error:
            log.warning("database.ended", error=str(error))
            return False
        finally:
            self._check_at = time.monotonic() + DATABASE_CHECK_SECONDS
        has_moved = settings.database_url != self.settings.database_url
        self.settings = settings
        return has_moved


class Supervisor:
    """Keeps children running until a signal asks this process to end.

    `restart_database` restarts the database if it has ended, and returns whether its address has changed. Then all
    children are restarted.
    """

    def __init__(
        self,
        children: Sequence[Child],
        signals: SignalPipe,
        watchdog_seconds: float,
        restart_database: Callable[[], bool] = lambda: False,
    ) -> None:
        self._children = children
        self._signals = signals
        self._watchdog_seconds = watchdog_seconds
        self._restart_database = restart_database
        self._checked_at = time.monotonic()

    def run(self) -> None:
        """Supervise the children until a shutdown signal, then end them."""
        while True:
            self._check(time.monotonic())
            if self._signals.wait(CHECK_SECONDS):
                break
        self._end()

    def _check(self, now: float) -> None:
        was_suspended = now - self._checked_at > SUSPENSION_SECONDS
        for child in self._children:
            child.reap(now)
            if was_suspended:
                child.reset_heartbeat_baseline(now)
            child.replace_if_stuck(now, self._watchdog_seconds)
            child.start_if_due(now)
        if self._restart_database():
            log.warning("database.moved")
            for child in self._children:
                child.send(signal.SIGTERM)
        self._checked_at = time.monotonic()

    def _end(self) -> None:
        for child in self._children:
            child.send(signal.SIGTERM)
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        while self._has_running_children() and time.monotonic() < deadline:
            self._signals.wait(0.0)
            time.sleep(0.02)
        for child in self._children:
            child.send(signal.SIGKILL)
        while self._has_running_children():
            time.sleep(0.02)

    def _has_running_children(self) -> bool:
        """Reap the children that have ended, and return whether others still run."""
        for child in self._children:
            if child.pid is not None:
                with suppress(ChildProcessError):
                    if os.waitpid(child.pid, os.WNOHANG)[0] == 0:
                        continue
                child.pid = None
        return any(child.pid is not None for child in self._children)
