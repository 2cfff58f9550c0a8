"""Positions in options of commands."""

from __future__ import annotations

import typer

from api import strict_parsing


def parse_position(value: str | int) -> int:
    """Parse a position in the event store. `value` is the text of the option, or its default."""
    try:
        return strict_parsing.parse_position(str(value))
    except ValueError:
        raise typer.BadParameter(f"{value} is not a position: give a whole number from 0") from None
