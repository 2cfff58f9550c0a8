"""Fixtures that run commands in the test's own process, on the test's own database."""

from __future__ import annotations

import base64
import logging
import os
import pty
import subprocess
import sys
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import structlog

from api.cli import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from api.bootstrap.config import Settings


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """Restore the configuration of logs after each test, because some commands change it."""
    configuration, handlers, level = structlog.get_config(), list(logging.root.handlers), logging.root.level
    yield
    structlog.configure(**configuration)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def as_setting(*keys: bytes) -> str:
    """Return the value of a setting that lists these keys."""
    return ",".join(base64.b64encode(key).decode() for key in keys)


def run_in_process(arguments: Sequence[object], capture: pytest.CaptureFixture[str]) -> CommandResult:
    """Run a command as `subusers` does, but in this process."""
    capture.readouterr()
    code = program.exit_code_of(
        lambda: program.app([str(argument) for argument in arguments], prog_name="subusers", standalone_mode=False)
    )
    output, errors = capture.readouterr()
    return CommandResult(code, output.replace("\r\n", "\n"), errors)  # lines of CSV end with CR and LF


def output_on_terminal(command: str) -> str:
    """Return what a command prints on a pseudo-terminal of 80 columns."""
    primary, secondary = pty.openpty()
    termios.tcsetwinsize(secondary, (24, 80))
    program = [sys.executable, "-m", "api.cli", *command.split()]
    with subprocess.Popen(program, stdin=secondary, stdout=secondary, stderr=secondary):
        os.close(secondary)
        chunks = []
        while chunk := _read(primary):
            chunks.append(chunk)
    os.close(primary)
    return b"".join(chunks).decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""


@dataclass(frozen=True)
class CommandResult:
    """Exit code, stdout and stderr of a command."""

    exit_code: int
    output: str
    errors: str

    @property
    def messages(self) -> list[str]:
        """Lines of stderr, except the one that names the database."""
        return [line for line in self.errors.splitlines() if not line.startswith("subusers: database: ")]


@pytest.fixture
def command_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set the environment for commands on the test's database, and return the object that sets more."""
    monkeypatch.setenv("SUBUSERS_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("SUBUSERS_MASTER_KEY", as_setting(*settings.master_keys))
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(*settings.signing_keys.private))
    monkeypatch.setenv("SUBUSERS_DATA_DIR", str(settings.data_dir))
    return monkeypatch


@pytest.fixture
def run_command(
    command_environment: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., CommandResult]:
    """Return a function that runs a command."""
    return lambda *arguments: run_in_process(arguments, capfd)


@pytest.fixture
def run(run_command: Callable[..., CommandResult]) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a command, and returns its exit code, and its stdout followed by its messages."""

    def exit_code_and_output(*arguments: object) -> tuple[int, str]:
        result = run_command(*arguments)
        return result.exit_code, result.output + "".join(f"{line}\n" for line in result.messages)

    return exit_code_and_output
