"""Output of commands. Escapes control characters, so that text from outside cannot act on the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.segment import Segment
from rich.text import Text

from application.display_text import escape_unprintable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType

WIDEST = 1000
"""Columns without a terminal, so that lines are neither cut nor folded."""


class SafeConsole(Console):
    """A console that escapes control characters in text but keeps its own colors."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return an escaped string as text; tables measure their cells in this form."""
        return super().render_str(_escape_lines(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable."""
        for segment in super().render(renderable, options):
            if segment.control or (segment.text.isascii() and segment.text.isprintable()):
                yield segment
            else:
                yield Segment(_escape_lines(segment.text), segment.style)


def console(**options: Any) -> Console:
    """Return a console for text, whose lines programs may parse too."""
    return SafeConsole(**{"highlight": False, "soft_wrap": True, **options})


def table_console() -> Console:
    """Return a console for tables, as wide as the terminal if there is one. Brackets are not markup."""
    on_terminal = SafeConsole(markup=False)
    return on_terminal if on_terminal.is_terminal else SafeConsole(width=WIDEST, markup=False)


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a text."""
    typer.echo(_escape_lines(text), err=err, nl=nl)


def cell(text: str, style: str = "") -> Text:
    """Return an escaped cell of a table."""
    return Text(escape_unprintable(text), style)


def write_json(line: str) -> None:
    """Print a line of JSON, escaped without changing its value."""
    sys.stdout.write(f"{escape_unprintable(line)}\n")


def confirm(question: str) -> None:
    """Ask, and abort unless the answer is yes."""
    typer.confirm(escape_unprintable(question), abort=True)


def _escape_lines(text: str) -> str:
    return "\n".join(map(escape_unprintable, text.split("\n")))
