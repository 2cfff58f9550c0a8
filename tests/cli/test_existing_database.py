"""Commands name their database, and only `serve` and `migrate` create one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from adapters.postgres.database_name import without_password
from api.cli.commands import run
from tests.cli.conftest import run_in_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import CommandResult

AN_ID = "3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"


@pytest.mark.parametrize(
    "command",
    [
        *("status", "status --json", "tail", "rebuild usage", "erasures", "export --all", "verify", "api", "work"),
        *("api-key list", "signing-key show --all", "signing-key rotate", "rotate-master-key"),
        *(f"replay --account {AN_ID}", f"erase-account {AN_ID}", "accept-lost-history --yes"),
        *("migrate --print-role someone", "api-key create --scope portal --name x"),
    ],
)
def test_command_creates_no_database(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line says where the command looked, and what to do."""
    folder = tmp_path / "data"
    for name in ("DATABASE_URL", "ADMIN_DATABASE_URL", "MASTER_KEY", "SIGNING_KEY"):
        monkeypatch.delenv(f"SUBUSERS_{name}", raising=False)
    monkeypatch.setenv("SUBUSERS_DATA_DIR", str(folder))
    monkeypatch.setattr(run, "SignalPipe", lambda: None)  # pytest has its own handlers
    monkeypatch.setattr(run, "stop_on_signals", threading.Event)
    result = run_in_process(command.split(), capfd)
    (line,) = result.messages
    assert result.exit_code == 2
    assert f"there is no database in {folder}" in line
    assert "subusers migrate" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["status", "api-key list", "verify", "signing-key show", "migrate", "erasures"])
def test_command_names_its_database(run_command: Callable[..., CommandResult], command: str) -> None:
    """Once, on stderr, without the password."""
    errors = run_command(*command.split()).errors
    (line,) = [line for line in errors.splitlines() if line.startswith("subusers: database: ")]
    assert line.startswith("subusers: database: postgresql://")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://u:p%40w@h/db?sslmode=require", "postgresql://u@h:5432/db"),
        ("postgresql://u@h1:1,h2:2/db?password=secret", "postgresql://u@h1:1,h2:2/db"),
        ("postgresql://u@h1,h2:7/db", "postgresql://u@h1,h2:7/db"),
        ("postgresql://u@/db?host=/var/run&port=7", "postgresql://u@%2Fvar%2Frun:7/db"),
        ("postgresql://u@[::1]:5/", "postgresql://u@[::1]:5/u"),
    ],
)
def test_database_name_has_no_secret(url: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER"):
        monkeypatch.delenv(variable, raising=False)
    assert without_password(url) == name
