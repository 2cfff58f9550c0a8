"""Tables for people, that programs can read too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.table import Table

WIDEST = 1000
"""Columns, where nobody looks: nothing is cut or folded there."""


def show(table: Table) -> None:
    """Print a table, folded to the width of the terminal if there is one."""
    console = Console()
    (console if console.is_terminal else Console(width=WIDEST)).print(table)
