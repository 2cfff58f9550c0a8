"""Starts commands by forking a process that has imported them, which takes a sixth of the CPU time of a new process.

`Launcher` runs this module as a process. That process reads a request per line, and answers each with a line of JSON.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.cli import main
from api.cli.program import MODULE_BY_COMMAND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.02
WRITE_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
SERVER_LIBRARIES = ("flask_smorest", "httptools", "uvloop")
"""Libraries that the HTTP server imports, except `prometheus_client`, which reads the environment at its import."""


class ForkedProcess:
    """A command in a fork, with the part of the interface of `subprocess.Popen` that tests use."""

    def __init__(self, launcher: Launcher, arguments: Sequence[str], pid: int) -> None:
        self.args = list(arguments)
        self.pid = pid
        self.returncode: int | None = None
        self._launcher = launcher
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit code, or None if the process runs."""
        with self._lock:
            if self.returncode is None:
                self.returncode = self._launcher.request(poll=self.pid)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and return its exit code. Raises `subprocess.TimeoutExpired`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if timeout is not None and deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(POLL_SECONDS)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM unless the process has ended."""
        self.send_signal(signal.SIGTERM)


class Launcher:
    """The process that forks commands."""

    def __init__(self) -> None:
        connection, other_end = socket.socketpair()
        with other_end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(other_end.fileno())],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                pass_fds=[other_end.fileno()],
            )
        with connection:
            self._stream = connection.makefile("rw")
        self._lock = threading.Lock()

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, output: Path, errors: Path
    ) -> ForkedProcess:
        """Start a command in a folder, with only this environment; its stdout and stderr are written to files."""
        pid = self.request(
            arguments=list(arguments),
            environment=dict(environment),
            folder=str(folder),
            output=str(output),
            errors=str(errors),
        )
        return ForkedProcess(self, arguments, pid)

    def request(self, **request: Any) -> Any:
        """Send a request and return the answer."""
        with self._lock:
            print(json.dumps(request), file=self._stream, flush=True)
            return json.loads(self._stream.readline())

    def close(self) -> None:
        """End the process."""
        self._stream.close()
        self._process.wait()


@cache
def launcher() -> Launcher:
    """Return the launcher of this process, which starts at the first call."""
    launcher = Launcher()
    atexit.register(launcher.close)
    return launcher


def answer_requests(connection: socket.socket) -> None:
    """Answer requests until the connection ends, then exit. Return in each child, prepared to run its command."""
    with connection, connection.makefile("rw") as stream:
        for line in stream:
            request = json.loads(line)
            if "poll" in request:
                pid, status = os.waitpid(request["poll"], os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if pid else None
            elif (answer := os.fork()) == 0:
                become(request)
                return
            print(json.dumps(answer), file=stream, flush=True)
    sys.exit()


def become(request: dict[str, Any]) -> None:
    """Take on the folder, environment, output files and arguments of a command."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for descriptor, name in ((1, "output"), (2, "errors")):
        file = os.open(request[name], WRITE_NEW_FILE, 0o666)
        os.dup2(file, descriptor)
        os.close(file)
    sys.argv = ["subusers", *request["arguments"]]


if __name__ == "__main__":
    for module in sorted(set(MODULE_BY_COMMAND.values())):
        import_module(f"api.cli.commands.{module}")
    for library in SERVER_LIBRARIES:
        import_module(library)
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client is imported before the environment has its folder")
    gc.collect()
    gc.freeze()
    answer_requests(socket.socket(fileno=int(sys.argv[1])))
    main()
