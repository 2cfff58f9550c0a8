"""Hostile text in the output of commands: control characters do not reach the terminal."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.table import Table
from rich.text import Text

from api.cli.output import SafeConsole
from application.command_context import CommandContext
from application.commands.activities import Activity
from application.commands.api_keys import Scope
from domain.event_metadata import ActorType
from tests.api_keys import add_api_key
from tests.builders import catch_up
from tests.postgres import fetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders import Company

    Run = Callable[..., tuple[int, str]]

HOSTILE_NAME = "x\u202eevil\u202c\u2066\u200f\u061c [bold]y[/bold]"
"""Characters that names may contain."""

HOSTILE_STORED_TEXT = f"{HOSTILE_NAME}\x1b[2J\x9b2J\x9d0;title\x07\x7f\x85\u2028"
"""Characters that older versions or other sources may have stored."""

HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
CLI = Path(__file__).parents[2] / "api" / "cli"


@pytest.fixture
def hostile_company(company: Company) -> Company:
    """Return an account in which every text is hostile."""
    sub_user = company.create_with_own_password(name=HOSTILE_NAME, surname=HOSTILE_NAME)
    context = CommandContext(
        ActorType.SUB_USER, str(sub_user.sub_user_id), user_agent=HOSTILE_STORED_TEXT, ip="198.51.100.7"
    )
    sub_user.log_in(context=context)
    activity = Activity(
        sub_user.sub_user_id, "tool.used", HOSTILE_STORED_TEXT, json.dumps({HOSTILE_STORED_TEXT: HOSTILE_STORED_TEXT})
    )
    company.service.commands.activities.record(company.account_id, [activity], context)
    add_api_key(company.service, Scope.AUDITOR, HOSTILE_STORED_TEXT)
    catch_up(company.service)
    return company


def require_harmless(output: str) -> None:
    assert HARMFUL.search(output) is None, ascii(output)


@pytest.mark.parametrize(
    "command",
    [
        *("replay --account {}", "replay --json --account {}", "export --account {}"),
        *("export --format csv --account {}", "export --format ocsf --account {}"),
        *("api-key list", "status", "verify", "signing-key show"),
    ],
)
def test_output_of_commands_is_harmless(run: Run, hostile_company: Company, command: str) -> None:
    """Control characters are escaped, and brackets are not markup."""
    _, output = run(*command.format(hostile_company.account_id).split())
    require_harmless(output)
    if "account" in command or "api-key" in command:
        assert "\\u202e" in output
        assert "[bold]y[/bold]" in output


def test_json_output_has_the_stored_values(run: Run, hostile_company: Company) -> None:
    _, output = run("replay", "--json", "--account", hostile_company.account_id)
    entries = [json.loads(line) for line in output.splitlines()]
    (activity,) = [entry for entry in entries if entry.get("action") == "tool.used"]
    assert (activity["target"], activity["details"], activity["user_agent"]) == (
        HOSTILE_STORED_TEXT,
        {HOSTILE_STORED_TEXT: HOSTILE_STORED_TEXT},
        HOSTILE_STORED_TEXT,
    )


def test_failure_reasons_are_harmless(run: Run, hostile_company: Company, database_url: str) -> None:
    """A projection's error may quote the data of the failed event."""
    fetch(database_url, "UPDATE followers SET failed_position = 1, failure = %s", HOSTILE_STORED_TEXT)
    code, output = run("status")
    assert code == 1
    assert "\\u202e" in output
    require_harmless(output)


def test_console_keeps_its_own_colors(capsys: pytest.CaptureFixture[str]) -> None:
    """Only the text is escaped, in tables as well."""
    table = Table("name")
    table.add_row(Text(HOSTILE_STORED_TEXT, "red"))
    terminal = SafeConsole(force_terminal=True, color_system="standard", width=200)
    terminal.print(table, Text.assemble((HOSTILE_STORED_TEXT, "green"), "\n", HOSTILE_STORED_TEXT))
    output = capsys.readouterr().out
    assert "\x1b[31m" in output
    assert "\x1b[32m" in output
    require_harmless(re.sub(r"\x1b\[[0-9;]*m", "", output))


def called_functions(path: Path) -> set[str]:
    functions: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            functions.add(ast.unparse(node.func))
    return functions


@pytest.mark.parametrize("path", sorted(CLI.rglob("*.py")), ids=lambda path: path.name)
def test_only_the_output_module_prints(path: Path) -> None:
    print_functions: set[Any] = {"print", "typer.echo", "typer.secho", "typer.confirm", "Console", "sys.stdout.write"}
    assert path.name == "output.py" or not print_functions & called_functions(path)
