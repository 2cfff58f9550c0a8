"""`subusers export`: the file is either complete and verifiable, or has a temporary name."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.cli.commands import export as command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.builders import Company

    Run = Callable[..., tuple[int, str]]


def test_export_is_written_and_verifies(run: Run, company: Company, tmp_path: Path) -> None:
    """No worker needs to run. Only the file's owner can read it, and the export is recorded."""
    company.create_sub_user()
    file = tmp_path / "export.jsonl"
    code, output = run("export", "--account", company.account_id, "-o", file)
    assert (code, output.splitlines()[-1]) == (0, f"subusers: {file} holds 2 events")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("verify", "--export", file)[0] == 0

    code, output = run("export", "--all", "--format", "csv", "--after", 2)
    assert code == 0
    (_, row, end) = output.splitlines()
    assert row.startswith(f"3,{company.account_id},")
    assert "audit_log.exported,system,operator," in row
    assert end.startswith("end,")


@pytest.mark.parametrize("after", ["1_0", "-1", "+1", "1.0", "x", str(2**63)])
def test_export_after_something_else_than_a_position_is_refused(run: Run, after: str) -> None:
    """Python's own parser accepts `1_0` and `+1` as integers."""
    code, output = run("export", "--all", "--after", after)
    assert code == 2
    assert "--after" in output
    assert "is not a position" in output


def test_interrupted_export_keeps_its_temporary_name(
    run: Run, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_lines(*_: Any) -> Any:
        yield json.dumps({"subusers_export": 1}).encode()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "lines", broken_lines)
    file = tmp_path / "export.jsonl"
    code, output = run("export", "--account", company.account_id, "-o", file)
    assert (code, output.splitlines()[-1]) == (1, f"subusers: {file}: No space left on device")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("export")] == ["export.jsonl.part"]


@pytest.mark.parametrize("arguments", [[], ["--all", "--account", uuid4()], ["--all", "--since", "yesterday"]])
def test_invalid_arguments_are_refused(run: Run, arguments: list[Any]) -> None:
    assert run("export", *arguments)[0] == 2
