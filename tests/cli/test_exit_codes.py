"""Exit codes of failed commands, and their one-line error messages."""

from __future__ import annotations

import subprocess
import sys
from typing import NoReturn
from uuid import uuid4

import psycopg
import pytest

from api.cli import INTERNAL_ERROR, program
from api.runtime import logs
from application.errors import StoreUnavailable, StoreWentBack
from domain.refusals import AccountNotFound, Refusal, SubUserNotFound


@pytest.mark.parametrize("error", [psycopg.OperationalError("too many clients\nand more"), StoreUnavailable()])
def test_lost_database_exits_with_1(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """The error may come from psycopg or from the service."""

    def command() -> NoReturn:
        raise error

    assert program.exit_code_of(command) == 1
    error_output = capsys.readouterr().err
    assert error_output.startswith("subusers: The database cannot be reached just now.")
    assert error_output.count("\n") == 1


@pytest.mark.parametrize("refusal", [AccountNotFound(), SubUserNotFound()])
def test_refused_command_exits_with_1(refusal: Refusal, capsys: pytest.CaptureFixture[str]) -> None:
    """Its message is printed without a traceback."""

    def command() -> NoReturn:
        raise refusal

    assert program.exit_code_of(command) == 1
    assert capsys.readouterr().err == f"subusers: {refusal}\n"


def test_store_that_went_back_exits_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    """The message has the new epoch, and names the document that says what to do."""
    epoch = uuid4()

    def command() -> NoReturn:
        raise StoreWentBack(epoch, None)

    assert program.exit_code_of(command) == 1
    error_output = capsys.readouterr().err
    assert str(epoch) in error_output
    assert "docs/operating.md" in error_output


@pytest.mark.parametrize("library", ["typer", "psycopg", "rich.console", "eventsourcing.domain", "api.cli.output"])
@pytest.mark.parametrize("start", ["from api.cli import main; main()", "import runpy; runpy.run_module('api.cli')"])
def test_program_that_cannot_be_loaded_exits_with_70(library: str, start: str) -> None:
    """In one line. Python would exit with 1, which means "tampered" from `verify`."""
    program_without_library = f"import sys; sys.modules[{library!r}] = None; sys.argv[1:] = ['verify']; {start}"
    command = [sys.executable, "-c", program_without_library]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (INTERNAL_ERROR, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("subusers: the program cannot be loaded (ModuleNotFoundError: ")
    assert library in line


def test_fault_while_the_command_is_prepared_exits_with_70(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> NoReturn:
        raise KeyError("a fault of the program")

    monkeypatch.setattr(logs, "configure_for_command", fail)
    assert program.run() == INTERNAL_ERROR
    assert capsys.readouterr().err.splitlines()[-1].startswith("subusers: internal error (KeyError)")
