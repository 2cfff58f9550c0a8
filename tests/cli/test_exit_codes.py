"""Exit codes of failed commands, and their one-line error messages."""

from __future__ import annotations

from typing import NoReturn
from uuid import uuid4

import psycopg
import pytest

from api import cli
from application.errors import StoreUnavailable, StoreWentBack
from domain.refusals import AccountNotFound, Refusal, SubUserNotFound


@pytest.mark.parametrize("error", [psycopg.OperationalError("too many clients\nand more"), StoreUnavailable()])
def test_lost_database_exits_with_1(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """The error may come from psycopg or from the service."""

    def command() -> NoReturn:
        raise error

    assert cli.exit_code_of(command) == 1
    error_output = capsys.readouterr().err
    assert error_output.startswith("subusers: The database cannot be reached just now.")
    assert error_output.count("\n") == 1


@pytest.mark.parametrize("refusal", [AccountNotFound(), SubUserNotFound()])
def test_refused_command_exits_with_1(refusal: Refusal, capsys: pytest.CaptureFixture[str]) -> None:
    """Its message is printed without a traceback."""

    def command() -> NoReturn:
        raise refusal

    assert cli.exit_code_of(command) == 1
    assert capsys.readouterr().err == f"subusers: {refusal}\n"


def test_store_that_went_back_exits_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    """The message has the new epoch, and names the document that says what to do."""
    epoch = uuid4()

    def command() -> NoReturn:
        raise StoreWentBack(epoch, None)

    assert cli.exit_code_of(command) == 1
    error_output = capsys.readouterr().err
    assert str(epoch) in error_output
    assert "docs/operating.md" in error_output
