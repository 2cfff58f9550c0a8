"""PostgreSQL clusters that a single test may copy, promote, freeze and destroy."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from adapters.embedded_postgres.binaries import usable_binaries
from adapters.embedded_postgres.os_user import os_user_for
from adapters.embedded_postgres.ports import free_port
from tests.postgres import fetch
from tests.processes.deployment import descendants
from tests.waiting import eventually

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "max_connections": "300",
    "synchronous_commit": "on",
    "log_min_error_statement": "panic",
}


class Cluster:
    """A PostgreSQL server on 127.0.0.1 with trust authentication."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self._os_user = os_user_for(self.data)
        self._binaries = usable_binaries(self._os_user, folder.parent / "binaries")
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        self._os_user.own(folder)

    @property
    def url(self) -> str:
        return f"postgresql://subusers@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        """Run initdb and start the server."""
        self._run(
            "initdb", "-D", self.data, "-U", "subusers", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"
        )
        self.start()

    def restore_backup_of(self, other: Cluster, *, as_standby: bool) -> None:
        """Fill the data folder with a base backup of a running cluster."""
        standby = ["--write-recovery-conf"] if as_standby else []
        source = f"host=127.0.0.1 port={other.port} user=subusers"
        self._run("pg_basebackup", "-D", self.data, "-d", source, "--checkpoint=fast", "--no-sync", *standby)

    def start(self) -> None:
        """Start the server and wait until it accepts queries."""
        options = [f"--{name}={value}" for name, value in (SETTINGS | {"port": str(self.port)}).items()]
        with (self.folder / "log").open("ab") as log:
            command: list[str | Path] = [self._binaries.postgres, "-D", self.data, *options]
            self._process = self._os_user.spawn(command, log, {})
        eventually(self._accepts_queries)

    def promote(self) -> None:
        fetch(self.url, "SELECT pg_promote()")

    def stop(self) -> None:
        """Stop the server immediately (SIGQUIT)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes of the server with SIGSTOP for the duration of the block."""
        if self._process is None:
            raise LookupError(self.folder)
        pids = [self._process.pid]
        try:
            self._signal(pids, signal.SIGSTOP)
            pids += descendants(self._process.pid)  # complete, because a stopped postmaster forks no further process
            self._signal(pids, signal.SIGSTOP)
            yield
        finally:
            self._signal(pids, signal.SIGCONT)

    def _accepts_queries(self) -> bool:
        with suppress(psycopg.OperationalError):
            return fetch(self.url, "SELECT true") == [(True,)]
        return False

    def _run(self, program: str, *arguments: str | Path) -> None:
        completed = self._os_user.run([self._binaries.folder / program, *arguments])
        assert completed.returncode == 0, completed.stderr

    def _signal(self, pids: list[int], number: signal.Signals) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


@contextmanager
def clusters_folder() -> Iterator[Path]:
    """Yield a temporary folder for clusters."""
    folder = Path(tempfile.mkdtemp(prefix="subusers-clusters-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
