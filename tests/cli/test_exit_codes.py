"""What went wrong with a command is told in one line, and by its exit code."""

from __future__ import annotations

from typing import NoReturn

import psycopg
import pytest

from api import cli
from application.errors import StoreUnavailable


@pytest.mark.parametrize("error", [psycopg.OperationalError("too many clients\nand more"), StoreUnavailable()])
def test_a_database_that_is_gone_amid_a_command(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever connection it was asked over."""

    def command() -> NoReturn:
        raise error

    assert cli._exit_code(command) == 1  # noqa: SLF001  # what `main` ends the process with
    told = capsys.readouterr().err
    assert told.startswith("subusers: The database cannot be reached just now.")
    assert told.count("\n") == 1
