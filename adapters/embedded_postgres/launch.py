"""Start of the server: spawns its process and waits until it accepts connections."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adapters.embedded_postgres.errors import EmbeddedPostgresError, error_line
from adapters.embedded_postgres.locks import open_private
from adapters.embedded_postgres.ports import free_port, is_free
from adapters.embedded_postgres.postmaster import MAX_START_SECONDS, PidFile, Postmaster, find_running, wait_until
from adapters.embedded_postgres.session import HOST, ProbeResult, probe

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from adapters.embedded_postgres.binaries import Binaries
    from adapters.embedded_postgres.home import Home
    from adapters.embedded_postgres.os_user import OsUser

# Passed on the command line, where they override the cluster's configuration files.
SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_checkpoints": "off",
    # Keep row values and statements out of the log: they can contain personal data, which must stay erasable.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

# Instead of the above, for a cluster that need not survive a crash of the machine, nor resist guesses of its passwords.
# Of `scram_iterations`, 4096 take most of the time to connect.
FAST_SETTINGS: Final = {"fsync": "off", "full_page_writes": "off", "scram_iterations": "1"}

DEFAULT_MAX_CONNECTIONS: Final = 200


# Log messages of problems that a retry can solve, and their causes, in this order: child processes of a killed server
# keep its shared memory until they notice its death; another program has taken the port since `is_free` checked it;
# another process started this server and was killed before it could wait for it.
TEMPORARY_PROBLEMS: Final = (
    "pre-existing shared memory block",
    "Address already in use",
    '"postmaster.pid" already exists',
)
RETRY_SECONDS: Final = 10.0
RETRY_INTERVAL_SECONDS: Final = 0.1

# A pid file is trusted for this long although its server does not respond. A server opens its port much faster.
MAX_PID_FILE_TRUST_SECONDS: Final = 2.0

MAX_LOG_BYTES: Final = 10 * 1024 * 1024


@dataclass(frozen=True)
class Launch:
    """Launch of a cluster's server, which must not be running. Temporary problems are retried for `RETRY_SECONDS`."""

    home: Home
    os_user: OsUser
    binaries: Binaries
    password: str = field(repr=False)
    max_connections: int = DEFAULT_MAX_CONNECTIONS
    durable: bool = True

    def run(self) -> Postmaster:
        """Start the server on the port of the last run, or on another port if that one is taken.

        Raises `EmbeddedPostgresError` with the server's own error message from its log.
        """
        self._rotate_long_log()
        started_at = time.monotonic()
        while True:
            waited = time.monotonic() - started_at
            log_start = self._log_size()
            server = self._start_once(trust_pid_file=waited < MAX_PID_FILE_TRUST_SECONDS)
            if server is not None:
                return server
            log_output = self._log_since(log_start)
            if waited > RETRY_SECONDS or not any(problem in log_output for problem in TEMPORARY_PROBLEMS):
                raise EmbeddedPostgresError(
                    f"PostgreSQL does not start: {error_line(log_output)} (see {self.home.log})"
                )
            time.sleep(RETRY_INTERVAL_SECONDS)
            if (server := find_running(self.home, self.os_user, self.password)) is not None:
                return server

    def _start_once(self, *, trust_pid_file: bool) -> Postmaster | None:
        port = self.home.remembered_port()
        if port is None or not is_free(port):
            port = free_port()
        process = self._spawn(port, {} if trust_pid_file else self._environment_without_pid_check())
        if not self._wait_until_ready(process, port):
            return None
        self.home.remember_port(port)
        return Postmaster(process.pid, port, self.home.data_directory, self.os_user, process)

    def _spawn(self, port: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        settings = {
            **SETTINGS,
            **({} if self.durable else FAST_SETTINGS),
            "port": str(port),
            "hba_file": str(self.home.access_rules),
            "max_connections": str(self.max_connections),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command: list[str | Path] = [self.binaries.postgres, "-D", self.home.data_directory, *options]
        with open_private(self.home.log) as log:
            return self.os_user.spawn(command, log, environment)

    def _environment_without_pid_check(self) -> dict[str, str]:
        """Return the environment for a server that must ignore a stale pid file.

        By now another process can have the pid in the file, so PostgreSQL would refuse to start. PG_GRANDPARENT_PID,
        which pg_ctl also sets, tells it that this pid is not a server. It still checks that no process uses the
        cluster's shared memory, so a running server that hangs is safe.
        """
        pid_file = PidFile.read(self.home.data_directory)
        return {} if pid_file is None else {"PG_GRANDPARENT_PID": str(pid_file.pid)}

    def _wait_until_ready(self, process: subprocess.Popen[bytes], port: int) -> bool:
        """Return True when the server responds, False when it has ended.

        Raises `EmbeddedPostgresError` after `MAX_START_SECONDS`. The server is killed then, and on an interrupt.
        """

        def has_started_or_ended() -> bool:
            return (
                process.poll() is not None
                or probe(port, self.password, self.home.data_directory) is ProbeResult.THIS_CLUSTER
            )

        has_result = False
        try:
            has_result = wait_until(has_started_or_ended, MAX_START_SECONDS)
        finally:
            if not has_result:
                process.send_signal(signal.SIGQUIT)
                process.wait()
        if not has_result:
            raise EmbeddedPostgresError(
                f"PostgreSQL accepts no connections {MAX_START_SECONDS:g} seconds after its start (see {self.home.log})"
            )
        return process.returncode is None

    def _rotate_long_log(self) -> None:
        if self._log_size() > MAX_LOG_BYTES:
            self.home.log.replace(self.home.log.with_suffix(".log.1"))

    def _log_size(self) -> int:
        return self.home.log.stat().st_size if self.home.log.exists() else 0

    def _log_since(self, start: int) -> str:
        with self.home.log.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")
