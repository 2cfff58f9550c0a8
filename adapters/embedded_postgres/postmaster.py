"""A running server: found, watched, stopped."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.embedded_postgres.errors import EmbeddedPostgresError
from adapters.embedded_postgres.session import Answer, ask

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from adapters.embedded_postgres.account import Account
    from adapters.embedded_postgres.home import Home

POLL_INTERVAL: Final = 0.02

# Crash recovery reads at most max_wal_size (1 GB) of log: well under a minute.
READY_PATIENCE: Final = 60.0

# A fast shutdown writes a checkpoint; an immediate one kills what is left after 5 seconds.
STOP_SIGNALS: Final = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))


@dataclass(frozen=True)
class PidFile:
    """What a server wrote into postmaster.pid: a hint where to ask, and no proof of anything."""

    pid: int
    port: int

    @staticmethod
    def read(data: Path) -> PidFile | None:
        """Return what the file says, None when there is none or it makes no sense."""
        with suppress(FileNotFoundError, ValueError, IndexError):
            lines = (data / "postmaster.pid").read_text(errors="replace").splitlines()
            pid, port = int(lines[0]), int(lines[3])
            if pid > 1:  # 0 and negative numbers would address whole groups of processes
                return PidFile(pid, port)
        return None


@dataclass(frozen=True)
class Postmaster:
    """The main process of a running server: `process` if it is a child of ours, or else an adopted one."""

    pid: int
    port: int
    data: Path
    account: Account
    process: subprocess.Popen[bytes] | None = None

    def has_ended(self) -> bool:
        """Tell whether the process is no more.

        An adopted one takes its pid file with it. That counts, because it can stay on as a zombie for ever
        where nobody reaps orphans (as in a container).
        """
        if self.process is not None:
            return self.process.poll() is not None
        written = PidFile.read(self.data)
        if written is None or written.pid != self.pid:
            return True
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return True
        return False

    def stop(self) -> None:
        """Shut the server down: fast, or, if that takes too long, immediately.

        Raises `EmbeddedPostgresError` if it does not stop.
        """
        for number, patience in STOP_SIGNALS:
            self.account.signal(self.pid, number)
            if comes_true(self.has_ended, patience):
                return
        raise EmbeddedPostgresError(f"the PostgreSQL server with process id {self.pid} does not stop")


def find_running(home: Home, account: Account, password: str) -> Postmaster | None:
    """Return the server of this cluster if it runs, whoever started it."""
    written = PidFile.read(home.data)
    if written is None or not _answers(written.port, password, home.data):
        return None
    return Postmaster(written.pid, written.port, home.data, account)


def comes_true(condition: Callable[[], bool], patience: float) -> bool:
    """Wait until the condition holds, at most `patience` seconds; tell whether it does."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL)
    return True


def _answers(port: int, password: str, data: Path) -> bool:
    """Tell whether our server is behind the port, having let it finish starting or stopping."""
    answer = Answer.NOT_NOW

    def is_settled() -> bool:
        nonlocal answer
        answer = ask(port, password, data)
        return answer is not Answer.NOT_NOW

    comes_true(is_settled, READY_PATIENCE)
    return answer is Answer.OURS
