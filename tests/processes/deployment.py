"""The service as an operator runs it: each command is a process configured by environment variables."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from adapters.embedded_postgres.session import url as embedded_url
from api.cli.startup import open_service
from application.commands.api_keys import Scope
from tests.api_keys import BY_OPERATOR
from tests.processes.launcher import ForkedProcess, launcher
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXIT_TIMEOUT_SECONDS = 90.0
METRICS_TOKEN = "the-token-of-a-Prometheus"
STARTED_AS_NEW_PROCESSES = {"serve", "migrate", "tail"}
"""Commands that the tests start as an operator does. The launcher forks the others, which is faster."""

PORTS, PORTS_PER_WORKER = range(20000, 30000), 1000
"""Ports below the ephemeral range, and how many of them each pytest worker owns."""


def master_key() -> str:
    """Return a new master key, encoded as in the setting."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def signing_key(database_url: str) -> str:
    """Return the signing key shared by all deployments on a database, encoded as in the setting."""
    return base64.b64encode(hashlib.sha256(database_url.encode()).digest()).decode()


def free_port() -> int:
    """Return an unused port from the range of this pytest worker."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = worker * PORTS_PER_WORKER % len(PORTS)
    own = PORTS[first : first + PORTS_PER_WORKER]
    while True:
        port = random.choice(own)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def descendants(pid: int) -> list[int]:
    """Return the descendants of a process, nearest first."""
    parents = dict(_parents())
    pids = [pid]
    for ancestor in pids:
        pids += [child for child, parent in parents.items() if parent == ancestor]
    return pids[1:]


def is_running(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    return _parent_of(Path(f"/proc/{pid}")) is not None


def command_of(pid: int) -> str:
    """Return the command line of a process, empty if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


def name_of(pid: int) -> str:
    """Return the name that a process has set for itself, empty if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def kill(*pids: int) -> None:
    """Send SIGKILL to processes, ignoring those that have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Program:
    """A process that runs one command of the service. Its output includes that of its children."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: dict[str, str],
        folder: Path,
        max_open_files: int | None = None,
        module: str = "api.cli",
    ) -> None:
        name = f"{'-'.join(arguments[:2]).replace('/', '_')}-{secrets.token_hex(4)}"
        self._output, self._errors = folder / f"{name}.out", folder / f"{name}.err"
        self.process: subprocess.Popen[bytes] | ForkedProcess
        if module == "api.cli" and max_open_files is None and arguments[0] not in STARTED_AS_NEW_PROCESSES:
            self.process = launcher().start(arguments, environment, folder, self._output, self._errors)
            return
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*_limit_open_files(max_open_files), sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=environment,
                cwd=folder,
            )

    @property
    def output(self) -> str:
        """The stdout so far."""
        return self._output.read_text(errors="replace")

    @property
    def errors(self) -> str:
        """The stderr so far."""
        return self._errors.read_text(errors="replace")

    @property
    def pids(self) -> list[int]:
        """The process and its descendants."""
        return [self.process.pid, *descendants(self.process.pid)]

    def children(self, name: str) -> list[int]:
        """Return the pids of the server processes ("api") or of the worker ("work")."""
        return [pid for pid in descendants(self.process.pid) if name_of(pid).startswith(f"subusers {name}")]

    def wait(self) -> int:
        """Wait for the process to end; return its exit code."""
        return self.process.wait(EXIT_TIMEOUT_SECONDS)

    def end(self) -> int:
        """Send SIGTERM and return the exit code; kill the process and its children if they remain."""
        children = descendants(self.process.pid)
        self.process.terminate()
        try:
            return self.wait()
        finally:
            kill(self.process.pid, *children)
            self.process.wait()

    def kill(self) -> None:
        """Kill the process and its descendants, except an embedded database."""
        kill(*(pid for pid in self.pids if "postgres" not in command_of(pid).split(" ")[0]))
        self.process.wait()


class Deployment:
    """A data folder and settings, and the commands that run with them."""

    def __init__(self, folder: Path, **settings: str | Path | int) -> None:
        self.folder = folder
        self.port = free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SUBUSERS_")}
        values = {
            "port": self.port,
            "metrics_token": METRICS_TOKEN,
            "data_dir": folder,
            "server_processes": 2,
            **settings,
        }
        if "database_url" in settings:
            values.setdefault("signing_key", signing_key(str(settings["database_url"])))
        self.environment = inherited | {f"SUBUSERS_{name.upper()}": str(value) for name, value in values.items()}
        self.environment["TMPDIR"] = str(folder)  # files left by killed processes are removed with the folder
        self.programs: list[Program] = []
        self.max_open_files: int | None = None

    @property
    def url(self) -> str:
        """The base URL of the service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def mail_folder(self) -> Path:
        """The folder of mails when no mail server is configured."""
        return self.folder / "mails"

    @property
    def embedded_database_url(self) -> str:
        """The URL of the embedded database."""
        home = self.folder / "postgres"
        return embedded_url(int((home / "port").read_text()), (home / "password").read_text().strip())

    @property
    def embedded_database_pid(self) -> int:
        """The pid in the embedded database's `postmaster.pid`, 0 if it does not run."""
        with suppress(FileNotFoundError, IndexError):
            return int((self.folder / "postgres/data/postmaster.pid").read_text().split()[0])
        return 0

    @property
    def output(self) -> str:
        """The stdout and stderr of all programs."""
        return "".join(program.output + program.errors for program in self.programs)

    def start(self, *arguments: str, module: str = "api.cli") -> Program:
        """Start a command without waiting for it."""
        program = Program(arguments, self.environment, self.folder, self.max_open_files, module)
        self.programs.append(program)
        return program

    def run(self, *arguments: str) -> Program:
        """Run a command and wait for it to end."""
        program = self.start(*arguments)
        program.wait()
        return program

    def serve(self, *commands: str) -> list[Program]:
        """Start commands (default: `serve`), and wait until the service is ready."""
        programs = [self.start(command) for command in commands or ["serve"]]
        eventually(lambda: self.is_ready(programs))
        return programs

    def is_ready(self, programs: Sequence[Program]) -> bool:
        """Return whether `/readyz` returns 200; fail if a program has ended."""
        for program in programs:
            assert program.process.poll() is None, program.output + program.errors
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        with closing(connection), suppress(OSError, HTTPException):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        return False

    def api_key(self, scope: str = "portal") -> str:
        """Create an API key in this process, because starting the command line takes far longer."""
        with patch.dict(os.environ, self.environment), open_service() as service:
            return service.commands.api_keys.create(Scope(scope), f"a test's {scope}", BY_OPERATOR)

    def end(self) -> None:
        """End all programs that still run."""
        for program in self.programs:
            if program.process.poll() is None:
                program.end()


@contextmanager
def deployed(folder: Path, **settings: str | Path | int) -> Iterator[Deployment]:
    """Yield a deployment, and end its programs afterwards."""
    deployment = Deployment(folder, **settings)
    try:
        yield deployment
    finally:
        deployment.end()


@contextmanager
def traversable_folder() -> Iterator[Path]:
    """Yield a folder that other users may traverse: under root, embedded PostgreSQL runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix="subusers-processes-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _limit_open_files(max_open_files: int | None) -> list[str]:
    """Return the prefix of a command that limits its number of open files."""
    return [] if max_open_files is None else ["/bin/sh", "-c", f'ulimit -n {max_open_files}; exec "$@"', "sh"]


def _parents() -> Iterator[tuple[int, int]]:
    """Yield (pid, parent pid) of every running process."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (parent := _parent_of(folder)) is not None:
            yield int(folder.name), parent


def _parent_of(folder: Path) -> int | None:
    with suppress(OSError):
        state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        return int(parent) if state != "Z" else None
    return None
