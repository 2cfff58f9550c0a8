"""Messages of commands: one prefix, one line, and no words of libraries."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from api.cli import INTERNAL_ERROR, program
from api.cli.commands import verify
from tests.cli.conftest import output_on_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.builders import Company
    from tests.cli.conftest import CommandResult

    Run = Callable[..., CommandResult]

LIBRARY_WORDS = re.compile(
    r"Value error|No such (?:option|command)|Possible options|extra argument|requires an|Missing |Input should|list\[|"
    r"<int|<bool|<str|x>=0|valid UUID|Traceback"
)
ROOT = Path(__file__).parents[2]
COUNTED = (
    "accounts|checkpoints|erasures|events|files|keys|lines|mails|migrations|ones|people|positions|rows|sessions|sub-users|"
    "successions|webhooks"
)
PLURAL = re.compile(rf" (?:(?!has )[a-z-]+ ){{0,2}}(?:{COUNTED})\b")
"""A counted noun, with its adjectives, behind a number."""

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


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("evidence --json", "there is no option --json"),
        ("evidence --sinc 2026-01-01", "there is no option --sinc: did you mean --since?"),
        ("apikey", "there is no command apikey: did you mean api-key?"),
        ("api-key crate", "there is no command crate: did you mean create?"),
        ("export --all all", "unexpected argument: all"),
        ("tail --from", "--from needs a value"),
        ("verify --consistency one", "--consistency needs 2 values"),
        ("status --json=1", "--json takes no value"),
        ("replay", "the option --account is missing"),
        ("rebuild", "the argument view is missing, which is one of: sub-users, audit-log, usage"),
    ],
)
def test_usage_error_is_in_own_words(run_command: Run, command: str, message: str) -> None:
    """A suggestion is similar to what was typed."""
    (line,) = run_command(*command.split()).messages
    assert line.partition(" (see ")[0] == f"subusers: {message}"


@pytest.mark.parametrize("name", ["", *program.MODULE_BY_COMMAND, "api-key create", "signing-key rotate"])
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
    completion = "from api.cli import main; main()"
    completions = subprocess.check_output([sys.executable, "-c", completion], env=os.environ | environment, text=True)
    assert set(completions.split()) == expected


def test_internal_error_does_not_look_like_a_result(
    run_command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From `verify`, exit code 1 means that the history was tampered with."""

    def fail(*_: object) -> NoReturn:
        raise KeyError("a fault of the program")

    monkeypatch.setattr(verify, "_read_note", fail)
    result = run_command("verify", "--consistency", tmp_path / "old", tmp_path / "new")
    assert (result.exit_code, result.output) == (INTERNAL_ERROR, "")
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


def counts_before_plurals(path: Path) -> Iterator[str]:
    """Yield f-strings in which a plural follows a value, which could be 1. Constants are in capitals."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            for value, text in pairwise(node.values):
                is_count = isinstance(value, ast.FormattedValue) and re.search(r"[a-z]", ast.unparse(value.value))
                if is_count and isinstance(text, ast.Constant) and PLURAL.match(str(text.value)):
                    yield f"{path.name}: {ast.unparse(node)}"


def test_no_plural_follows_a_count() -> None:
    """`quantity` chooses between singular and plural: 1 event, 2 events."""
    folders = ("api/cli", "api/bootstrap", "application", "adapters", "projections", "tools")
    modules = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert not [message for path in modules for message in counts_before_plurals(path)]


def test_one_of_each_is_singular(run_command: Run, company: Company, tmp_path: Path) -> None:
    assert run_command("export", "--all", "-o", tmp_path / "export").messages == [
        f"subusers: {tmp_path}/export holds 1 event"
    ]
    assert run_command("verify", "--export", tmp_path / "export").output.startswith(
        "right: 1 event of all accounts, of"
    )
    verdict = run_command("verify").output
    assert verdict.startswith("right: 1 event is as it was signed, in 1 checkpoint; 1 newer one has no")
    assert "checkpoint: 1 event, up to position 1, signed" in run_command("status").output
    erased = run_command("erase-account", company.account_id, "--yes").output
    assert erased == f"erased 1 person of {company.account_id}\n"
    assert run_command("erasures").messages == ["subusers: 1 erasure"]
