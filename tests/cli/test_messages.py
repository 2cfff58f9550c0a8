"""Messages of commands: one prefix, one line, and no words of libraries."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

from api import cli
from api.cli.commands import verify
from tests.cli.conftest import output_on_terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.builders import Company
    from tests.cli.conftest import CommandResult

    Run = Callable[..., CommandResult]

LIBRARY_WORDS = re.compile(r"Value error|Input should|list\[|<int|<bool|<str|x>=0|valid UUID|Traceback")
STYLES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    "command",
    [
        *("export --all --since yesterday", "export --all --after 1_0", "export --all --after -1", "export --after x"),
        *("export --account x", "export --all --format pdf", "api-key create --name x --scope nobody"),
        *("api-key create --name x", "api-key create --name x --scope portal --allow 10.0.0.1/8"),
        *("api-key revoke x", "api-key limit x", "replay", "replay --account x", "erase-account", "erase-account 1"),
        *("tail --from x", "tail --from 1_0", "tail --type x", "rebuild mail-queue", "rebuild", "srve", "status --x"),
        *("verify --consistency one", "erase --reapply nowhere", "export --all --account x", "api-key nothing"),
    ],
)
def test_usage_error_is_one_line(run_command: Run, command: str) -> None:
    """It has the program's name, and refers to the help."""
    result = run_command(*command.split())
    assert (result.exit_code, result.output) == (2, "")
    (line,) = result.messages
    assert re.fullmatch(r"subusers: .* \(see `subusers[a-z -]* --help`\)", line)
    assert LIBRARY_WORDS.search(line) is None


@pytest.mark.parametrize("name", ["", *cli.MODULE_BY_COMMAND, "api-key create", "signing-key rotate"])
def test_help_has_no_types_of_the_language(run_command: Run, name: str) -> None:
    output = run_command(*name.split(), "--help").output
    assert "Usage: subusers" in output
    assert LIBRARY_WORDS.search(output) is None


def test_version(run_command: Run) -> None:
    assert re.fullmatch(r"subusers \d+\.\d+\.\d+\n", run_command("--version").output)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("subusers era", {"erase", "erase-account", "erasures"}),
        ("subusers rebuild ", {"sub-users", "audit-log", "usage"}),
        ("subusers api-key create --scope a", {"auditor", "analytics"}),
    ],
)
def test_completion(words: str, expected: set[str]) -> None:
    """As the script of `--show-completion bash` asks for it."""
    environment = {"_SUBUSERS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    program = "from api.cli import main; main()"
    completions = subprocess.check_output([sys.executable, "-c", program], env=os.environ | environment, text=True)
    assert set(completions.split()) == expected


def test_internal_error_does_not_look_like_a_result(
    run_command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From `verify`, exit code 1 means that the history was tampered with."""

    def fail(*_: object) -> NoReturn:
        raise KeyError("a fault of the program")

    monkeypatch.setattr(verify, "_read_note", fail)
    result = run_command("verify", "--consistency", tmp_path / "old", tmp_path / "new")
    assert (result.exit_code, result.output) == (cli.INTERNAL_ERROR, "")
    assert result.messages[0] == "Traceback (most recent call last):"
    assert result.messages[-1] == "subusers: internal error (KeyError): report it with the lines above"


def test_export_prints_no_log_lines(run_command: Run, company: Company, tmp_path: Path) -> None:
    """It signs a checkpoint, which `work` logs."""
    company.create_sub_user()
    result = run_command("export", "--all", "-o", tmp_path / "export")
    assert result.messages == [f"subusers: {tmp_path}/export holds 2 events"]


@pytest.mark.parametrize("command", ["status", "export --help", "rebuild usage", "api-key list", "tail --from x"])
def test_no_color_removes_every_style(command_environment: pytest.MonkeyPatch, command: str) -> None:
    """Also bold and dim."""
    command_environment.setenv("NO_COLOR", "1")
    command_environment.setenv("TERM", "xterm-256color")
    output = output_on_terminal(command)
    assert "subusers" in output
    assert STYLES.search(output) is None


def test_a_terminal_shows_styles(command_environment: pytest.MonkeyPatch) -> None:
    """Validates the test above."""
    command_environment.setenv("TERM", "xterm-256color")
    assert STYLES.search(output_on_terminal("export --help")) is not None


def test_rebuild_needs_the_owner_of_the_tables(run_command: Run) -> None:
    result = run_command("rebuild", "usage")
    assert (result.exit_code, result.output) == (2, "")
    (line,) = result.messages
    assert "SUBUSERS_ADMIN_DATABASE_URL must name a role with the right to rebuild" in line


def test_progress_is_not_shown_in_pipes(
    run_command: Run, command_environment: pytest.MonkeyPatch, company: Company, database_url: str
) -> None:
    command_environment.setenv("SUBUSERS_ADMIN_DATABASE_URL", database_url)
    company.create_sub_user()
    result = run_command("rebuild", "usage")
    assert result.output.startswith("usage was rebuilt")
    assert result.output.count("\n") == 1
    assert result.messages == []
