"""Help of the commands, and the modules that each command imports."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from api.cli.program import MODULE_BY_COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable

HTTP_MODULES_OF_SERVE = """
import sys
from api.cli.program import app
sys.argv = ["subusers", "serve", "--help"]
app(standalone_mode=False)
print(sorted({"flask", "httptools", "kombu"} & set(sys.modules)))
"""


def test_help_lists_every_command_with_a_summary(run: Callable[..., tuple[int, str]]) -> None:
    code, output = run("--help")
    assert code == 0
    for name in MODULE_BY_COMMAND:
        (line,) = [line for line in output.splitlines() if f"│ {name} " in line]
        assert line.strip("│ ") != name


@pytest.mark.parametrize("name", MODULE_BY_COMMAND)
def test_every_command_has_help(run: Callable[..., tuple[int, str]], name: str) -> None:
    code, output = run(name, "--help")
    assert (code, f"{name} [OPTIONS]" in output) == (0, True), output


def test_misspelled_command_gets_a_suggestion(run: Callable[..., tuple[int, str]]) -> None:
    code, output = run("srve")
    assert code == 2
    assert "did you mean serve?" in output


def test_supervisor_does_not_import_http_modules() -> None:
    """Only one of the three processes of `subusers serve` needs them; the others start faster without."""
    process = subprocess.run([sys.executable, "-c", HTTP_MODULES_OF_SERVE], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "[]"
