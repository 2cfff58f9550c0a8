"""Types of options and arguments, with errors in this program's own words."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID  # noqa: TC003  # typer reads the annotations

import typer

from api.strict_parsing import parse_id, parse_position


def parse_id_option(text: str) -> UUID:
    """Parse an id. Raises `typer.BadParameter`."""
    try:
        return parse_id(text)
    except ValueError:
        message = f"{text!r} is not an id such as 3f0c5c6e-2f0b-4a3e-9a43-6f1d0f4c7f11"
        raise typer.BadParameter(message) from None


def parse_position_option(text: str | int) -> int:
    """Parse a position, or return a default. Raises `typer.BadParameter`."""
    try:
        return parse_position(str(text))
    except ValueError:
        message = f"{text} is not a position, which is a whole number from 0"
        raise typer.BadParameter(message) from None


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as a JSON object.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print a JSON object per line.")]
