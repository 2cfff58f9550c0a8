"""Every command is there, and brings with it what it needs itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from api.cli import LOADED_FROM

if TYPE_CHECKING:
    from collections.abc import Callable

WITHOUT_THE_DOORS = """
import sys
from api.cli import app
sys.argv = ["subusers", "serve", "--help"]
app(standalone_mode=False)
print(sorted({"flask", "granian", "kombu"} & set(sys.modules)))
"""


def test_the_help_tells_of_each(run: Callable[..., tuple[int, str]]) -> None:
    """By its name, with what it does."""
    code, told = run("--help")
    assert code == 0
    for name in LOADED_FROM:
        (line,) = [line for line in told.splitlines() if f"│ {name} " in line]
        assert line.strip("│ ") != name


@pytest.mark.parametrize("name", LOADED_FROM)
def test_each_has_a_help_of_its_own(run: Callable[..., tuple[int, str]], name: str) -> None:
    """Which tells how it is used."""
    code, told = run(name, "--help")
    assert (code, f"{name} [OPTIONS]" in told) == (0, True), told


def test_a_misspelt_one_is_told(run: Callable[..., tuple[int, str]]) -> None:
    """With what may have been meant."""
    code, told = run("srve")
    assert code == 2
    assert "Did you mean 'serve'?" in told


def test_what_does_not_serve_http_does_not_load_what_does() -> None:
    """Of three processes of `subusers serve` one does, and each is there the sooner."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_THE_DOORS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
