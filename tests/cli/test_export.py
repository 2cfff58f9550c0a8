"""`subusers export`: a file that is whole or not there, and that verifies."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.cli import export as command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.people import Company

    Run = Callable[..., tuple[int, str]]


def test_an_export_is_written_and_verifies(run: Run, company: Company, tmp_path: Path) -> None:
    """With all that was recorded before, though nobody else is at work; readable by its owner alone, and recorded."""
    company.let_in()
    file = tmp_path / "export.jsonl"
    code, told = run("export", "--account", company.account_id, "-o", file)
    assert (code, told.splitlines()[-1]) == (0, f"{file} holds 2 events")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("verify", "--export", file)[0] == 0

    code, told = run("export", "--all", "--format", "csv", "--after", 2)
    assert code == 0
    (_, row, end) = told.splitlines()
    assert row.startswith(f"3,{company.account_id},")
    assert "audit_log.exported,system,operator," in row
    assert end.startswith("end,")


def test_what_breaks_off_is_not_there(
    run: Run, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What there is of it has another name, and nothing takes it for the whole."""

    def broken(*_: Any) -> Any:
        yield json.dumps({"subusers_export": 1}).encode()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "lines", broken)
    file = tmp_path / "export.jsonl"
    code, told = run("export", "--account", company.account_id, "-o", file)
    assert (code, told.splitlines()[-1]) == (1, f"subusers: {file}: No space left on device")
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("export")] == ["export.jsonl.part"]


@pytest.mark.parametrize("arguments", [[], ["--all", "--account", uuid4()], ["--all", "--since", "yesterday"]])
def test_what_cannot_be_asked_is_told(run: Run, arguments: list[Any]) -> None:
    assert run("export", *arguments)[0] == 2
