"""Exit codes of failed commands, and their one-line error messages."""

from __future__ import annotations

from typing import NoReturn

import psycopg
import pytest

from api import cli
from application.errors import StoreUnavailable


@pytest.mark.parametrize("error", [psycopg.OperationalError("too many clients\nand more"), StoreUnavailable()])
def test_lost_database_exits_with_1(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """The error may come from psycopg or from the service."""

    def command() -> NoReturn:
        raise error

    assert cli._exit_code(command) == 1  # noqa: SLF001  # exit code of `main`
    error_output = capsys.readouterr().err
    assert error_output.startswith("subusers: The database cannot be reached just now.")
    assert error_output.count("\n") == 1
