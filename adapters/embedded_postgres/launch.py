"""Starting a server process and seeing it through until it answers."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.embedded_postgres.errors import EmbeddedPostgresError, telling_line
from adapters.embedded_postgres.locks import open_private
from adapters.embedded_postgres.ports import free_port, is_free
from adapters.embedded_postgres.postmaster import READY_PATIENCE, PidFile, Postmaster, comes_true, find_running
from adapters.embedded_postgres.session import HOST, Answer, ask

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from adapters.embedded_postgres.account import Account
    from adapters.embedded_postgres.binaries import Binaries
    from adapters.embedded_postgres.home import Home

# Given on the command line, where they win over anything in the cluster's own files.
SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_checkpoints": "off",
    # No values of rows and no statements in the log: they can be personal data, which has to stay erasable.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

# What passes by itself. Children of a server that was killed notice within moments, and hold on to its shared memory
# until then; somebody else can take a port between our look at it and the server's; and the process named in a
# pid file may be a server that was started just now, by somebody who did not live to see it answer.
PASSING: Final = ("pre-existing shared memory block", "Address already in use", '"postmaster.pid" already exists')
PASSING_PATIENCE: Final = 10.0
PASSING_INTERVAL: Final = 0.1

# How long a pid file is believed although its server does not answer. A server opens its port within a fraction.
PID_FILE_PATIENCE: Final = 2.0

LOG_LIMIT: Final = 10 * 1024 * 1024


@dataclass(frozen=True)
class Launch:
    """One attempt after another to start the server of a cluster that has none running."""

    home: Home
    account: Account
    binaries: Binaries
    password: str

    def run(self) -> Postmaster:
        """Start the server on the port of last time, or on another if that is taken.

        Raises `EmbeddedPostgresError` with the line of the log that tells why it does not come up.
        """
        self._set_long_log_aside()
        began = time.monotonic()
        while True:
            waited = time.monotonic() - began
            log_start = self._log_size()
            server = self._attempt(believe_pid_file=waited < PID_FILE_PATIENCE)
            if server is not None:
                return server
            said = self._log_since(log_start)
            if waited > PASSING_PATIENCE or not any(trouble in said for trouble in PASSING):
                raise EmbeddedPostgresError(f"PostgreSQL does not start: {telling_line(said)} (see {self.home.log})")
            time.sleep(PASSING_INTERVAL)
            if (server := find_running(self.home, self.account, self.password)) is not None:
                return server

    def _attempt(self, *, believe_pid_file: bool) -> Postmaster | None:
        port = self.home.remembered_port()
        if port is None or not is_free(port):
            port = free_port()
        process = self._spawn(port, {} if believe_pid_file else self._disbelief())
        if not self._comes_up(process, port):
            return None
        self.home.remember_port(port)
        return Postmaster(process.pid, port, self.home.data, self.account, process)

    def _spawn(self, port: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        settings = SETTINGS | {"port": str(port), "hba_file": str(self.home.access_rules)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command: list[str | Path] = [self.binaries.postgres, "-D", self.home.data, *options]
        with open_private(self.home.log) as log:
            return self.account.spawn(command, log, environment)

    def _disbelief(self) -> dict[str, str]:
        """Keep a leftover pid file, whose number is some other process's by now, from stopping the start.

        This variable, which pg_ctl uses too, names a process that the server takes for an ancestor and not for
        a running server. It still checks for itself that the cluster's shared memory is in nobody's use, so that
        even a server that runs but hangs is safe.
        """
        written = PidFile.read(self.home.data)
        return {} if written is None else {"PG_GRANDPARENT_PID": str(written.pid)}

    def _comes_up(self, process: subprocess.Popen[bytes], port: int) -> bool:
        """Wait until the server answers (True) or has ended (False); end it if it does neither, or we are stopped."""

        def is_decided() -> bool:
            return process.poll() is not None or ask(port, self.password, self.home.data) is Answer.OURS

        decided = False
        try:
            decided = comes_true(is_decided, READY_PATIENCE)
        finally:
            if not decided:
                process.send_signal(signal.SIGQUIT)
                process.wait()
        return process.returncode is None

    def _set_long_log_aside(self) -> None:
        if self._log_size() > LOG_LIMIT:
            self.home.log.replace(self.home.log.with_suffix(".log.1"))

    def _log_size(self) -> int:
        return self.home.log.stat().st_size if self.home.log.exists() else 0

    def _log_since(self, start: int) -> str:
        with self.home.log.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")
