"""The service as an operator runs it: commands as processes of their own, on settings from the environment."""

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

from adapters.embedded_postgres.session import url as embedded_url
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECONDS_TO_END = 90.0
PORTS, PORTS_OF_ONE = range(20000, 30000), 1000
"""Below those that the system gives to outgoing connections; so many of them are each worker's own."""


def master_key() -> str:
    """Return a master key, as the setting has it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def signing_key(database_url: str) -> str:
    """Return the signing key of every deployment on a database, as the setting has it."""
    return base64.b64encode(hashlib.sha256(database_url.encode()).digest()).decode()


def free_port() -> int:
    """Return a port that nobody listens on, and that no other worker of this run is about to."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = worker * PORTS_OF_ONE % len(PORTS)
    own = PORTS[first : first + PORTS_OF_ONE]
    while True:
        port = random.choice(own)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def descendants(pid: int) -> list[int]:
    """Return the processes below one, nearest first."""
    parents = dict(_parents())
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def is_running(pid: int) -> bool:
    """Say whether there is such a process; one that ended and was not yet asked about is none."""
    return _parent_of(Path(f"/proc/{pid}")) is not None


def command_of(pid: int) -> str:
    """Return the command line of a process, empty if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


def kill(*pids: int) -> None:
    """Give these processes no chance to do anything more."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Program:
    """One command of the service while it runs, and what it and its children said."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        name = f"{'-'.join(arguments[:2]).replace('/', '_')}-{secrets.token_hex(4)}"
        self._output, self._errors = folder / f"{name}.out", folder / f"{name}.err"
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=environment,
                cwd=folder,
            )

    @property
    def output(self) -> str:
        """What it has written to stdout so far."""
        return self._output.read_text(errors="replace")

    @property
    def errors(self) -> str:
        """What it has written to stderr so far."""
        return self._errors.read_text(errors="replace")

    @property
    def pids(self) -> list[int]:
        """The process and those below it."""
        return [self.process.pid, *descendants(self.process.pid)]

    def wait(self) -> int:
        """Return the exit code, once it has ended."""
        return self.process.wait(SECONDS_TO_END)

    def end(self) -> int:
        """Ask it to end, see to it that it and its children do, and return the exit code."""
        below = descendants(self.process.pid)
        self.process.terminate()
        try:
            return self.wait()
        finally:
            kill(self.process.pid, *below)
            self.process.wait()

    def kill(self) -> None:
        """Kill it and all its children, except a database: that one is somebody else's matter."""
        kill(*(pid for pid in self.pids if "postgres" not in command_of(pid).split(" ")[0]))
        self.process.wait()


class Deployment:
    """Settings, a folder, and the commands run with them."""

    def __init__(self, folder: Path, **settings: str | Path | int) -> None:
        self.folder = folder
        self.port = free_port()
        outside = {name: value for name, value in os.environ.items() if not name.startswith("SUBUSERS_")}
        given = {"port": self.port, "data_dir": folder, "processes": 2, **settings}
        if "database_url" in settings:
            given.setdefault("signing_key", signing_key(str(settings["database_url"])))
        self.environment = outside | {f"SUBUSERS_{name.upper()}": str(value) for name, value in given.items()}
        self.environment["TMPDIR"] = str(folder)  # what a killed process leaves there goes with the folder
        self.programs: list[Program] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def mail_folder(self) -> Path:
        """Where its mails are, if it has no mail server."""
        return self.folder / "mails"

    @property
    def embedded_database_url(self) -> str:
        """Where its database is, if that is one of its own."""
        home = self.folder / "postgres"
        return embedded_url(int((home / "port").read_text()), (home / "password").read_text().strip())

    @property
    def embedded_database_pid(self) -> int:
        """The process of that database, as its own file names it; 0 if it does not run."""
        with suppress(FileNotFoundError, IndexError):
            return int((self.folder / "postgres/data/postmaster.pid").read_text().split()[0])
        return 0

    @property
    def said(self) -> str:
        """Everything that every program wrote."""
        return "".join(program.output + program.errors for program in self.programs)

    def start(self, *arguments: str) -> Program:
        """Start a command, and return it as it runs."""
        program = Program(arguments, self.environment, self.folder)
        self.programs.append(program)
        return program

    def run(self, *arguments: str) -> Program:
        """Run a command to its end."""
        program = self.start(*arguments)
        program.wait()
        return program

    def serve(self, *commands: str) -> list[Program]:
        """Start these commands (`serve` if none is named), and wait until requests are answered."""
        programs = [self.start(command) for command in commands or ["serve"]]
        eventually(lambda: self.is_ready(programs))
        return programs

    def is_ready(self, programs: Sequence[Program]) -> bool:
        """Say whether the service answers that it is ready."""
        for program in programs:
            assert program.process.poll() is None, program.output + program.errors
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        with closing(connection), suppress(OSError, HTTPException):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        return False

    def api_key(self, scope: str = "portal") -> str:
        """Make an API key with the command line."""
        made = self.run("api-key", "create", "--scope", scope, "--name", f"a test's {scope}")
        assert made.process.returncode == 0, made.errors
        self.programs.remove(made)  # what it says is the key: the one place where it may be read
        return made.output.strip()

    def end(self) -> None:
        """End whatever still runs."""
        for program in self.programs:
            if program.process.poll() is None:
                program.end()


@contextmanager
def deployed(folder: Path, **settings: str | Path | int) -> Iterator[Deployment]:
    """Lend a deployment, and leave nothing of it running."""
    deployment = Deployment(folder, **settings)
    try:
        yield deployment
    finally:
        deployment.end()


@contextmanager
def an_open_folder() -> Iterator[Path]:
    """Lend a folder that other users may pass through: as root, an embedded database runs as one of them."""
    folder = Path(tempfile.mkdtemp(prefix="subusers-processes-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parents() -> Iterator[tuple[int, int]]:
    """Return every process that has not ended, with the one it was started by."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (parent := _parent_of(folder)) is not None:
            yield int(folder.name), parent


def _parent_of(folder: Path) -> int | None:
    with suppress(OSError):
        state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        return int(parent) if state != "Z" else None
    return None
