"""Fixtures that run commands in the test's own process, on the test's own database."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from api.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.config import Settings


def as_setting(*keys: bytes) -> str:
    """Return the value of a setting that lists these keys."""
    return ",".join(base64.b64encode(key).decode() for key in keys)


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a command, and returns its exit code and its output or uncaught exception."""
    monkeypatch.setenv("SUBUSERS_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("SUBUSERS_MASTER_KEY", as_setting(*settings.master_keys))
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(*settings.signing_keys.private))
    monkeypatch.setenv("SUBUSERS_DATA_DIR", str(settings.data_dir))

    def run_command(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is None or isinstance(result.exception, SystemExit):
            return result.exit_code, result.output
        return result.exit_code, f"{type(result.exception).__name__}: {result.exception}"

    return run_command
