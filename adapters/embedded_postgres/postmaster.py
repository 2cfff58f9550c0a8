"""Detection, monitoring and shutdown of a running server."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.embedded_postgres.errors import EmbeddedPostgresError
from adapters.embedded_postgres.session import ProbeResult, probe

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from adapters.embedded_postgres.home import Home
    from adapters.embedded_postgres.os_user import OsUser

POLL_INTERVAL_SECONDS: Final = 0.02

# Crash recovery reads at most max_wal_size (1 GB) of WAL, which takes well under a minute.
MAX_START_SECONDS: Final = 60.0

# Signals and timeouts in seconds. A fast shutdown writes a checkpoint. An immediate one kills the remaining processes
# after 5 seconds.
STOP_SIGNALS_AND_TIMEOUTS: Final = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))


@dataclass(frozen=True)
class PidFile:
    """Contents of postmaster.pid. May be stale; `find_running` verifies it."""

    pid: int
    port: int

    @staticmethod
    def read(data_directory: Path) -> PidFile | None:
        """Read the file; return None if it is missing or invalid."""
        with suppress(FileNotFoundError, ValueError, IndexError):
            lines = (data_directory / "postmaster.pid").read_text(errors="replace").splitlines()
            pid, port = int(lines[0]), int(lines[3])
            if pid > 1:  # 0 and negative numbers address process groups
                return PidFile(pid, port)
        return None


@dataclass(frozen=True)
class Postmaster:
    """Main process of a running server. `process` is set if this process started it."""

    pid: int
    port: int
    data_directory: Path
    os_user: OsUser
    process: subprocess.Popen[bytes] | None = None

    def has_ended(self) -> bool:
        """Return whether the process has ended.

        A server that another process started has ended if its pid file is gone. Its pid alone does not show that: an
        ended process keeps its pid as a zombie until its parent reaps it, and in many containers nothing does.
        """
        if self.process is not None:
            return self.process.poll() is not None
        pid_file = PidFile.read(self.data_directory)
        if pid_file is None or pid_file.pid != self.pid:
            return True
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, PermissionError):  # PermissionError: another user's process has the pid by now
            return True
        return False

    def stop(self) -> None:
        """Shut the server down: fast, or immediately if that takes too long.

        Raises `EmbeddedPostgresError` if it does not stop.
        """
        for stop_signal, timeout in STOP_SIGNALS_AND_TIMEOUTS:
            self.os_user.signal(self.pid, stop_signal)
            if wait_until(self.has_ended, timeout):
                return
        raise EmbeddedPostgresError(f"the PostgreSQL server with process id {self.pid} does not stop")


def find_running(home: Home, os_user: OsUser, password: str) -> Postmaster | None:
    """Return the running server of this cluster, if any, also if another process started it.

    Waits for up to `MAX_START_SECONDS` while the server is starting or stopping.
    """
    pid_file = PidFile.read(home.data_directory)
    if pid_file is None or not _is_running(pid_file.port, password, home.data_directory):
        return None
    return Postmaster(pid_file.pid, pid_file.port, home.data_directory, os_user)


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Wait until a condition holds, for at most `timeout` seconds. Return whether it holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL_SECONDS)
    return True


def _is_running(port: int, password: str, data_directory: Path) -> bool:
    """Return whether the cluster's server accepts connections on a port."""
    result = ProbeResult.STARTING_OR_STOPPING

    def has_started_or_stopped() -> bool:
        nonlocal result
        result = probe(port, password, data_directory)
        return result is not ProbeResult.STARTING_OR_STOPPING

    wait_until(has_started_or_stopped, MAX_START_SECONDS)
    return result is ProbeResult.THIS_CLUSTER
