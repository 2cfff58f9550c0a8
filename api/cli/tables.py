"""Tables that people and programs can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.cli.output import table_console

if TYPE_CHECKING:
    from rich.table import Table


def show(table: Table) -> None:
    """Print a table, folded to the width of the terminal if stdout is one."""
    table_console().print(table)
