"""Output of commands. Escapes control characters, so that text from outside cannot act on the terminal."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.progress import Progress as ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from api.bootstrap import config
from application.display_text import escape_unprintable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import ConsoleOptions, RenderableType
    from rich.progress import ProgressColumn

WIDTH_WITHOUT_TERMINAL = 1000
"""Width in columns of tables in files and pipes: enough for every line, so that none is cut or folded."""

PARAGRAPH_INDENT = 4
"""Columns before the other cells of a record that is printed as a paragraph."""

EVENT_COLORS = {
    "login_refused": "red",
    "locked_out": "red",
    "credentials_mail_failed": "red",
    "disabled": "red",
    "deleted": "magenta",
    "closed": "magenta",
    "personal_data_erased": "magenta",
    "created": "green",
    "registered": "green",
    "activated": "green",
    "deactivated": "yellow",
    "password_reset": "yellow",
}
"""Color of an event by the last part of its action. Others have the default color of the command."""


class SafeConsole(Console):
    """A console that escapes control characters in text but keeps its own styles, unless NO_COLOR is set."""

    def __init__(self, **options: Any) -> None:
        if config.colors_are_disabled():
            options["color_system"] = None  # rich's own support removes the colors, but not bold and dim
        super().__init__(**options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as escaped text. Tables measure their cells by it."""
        return super().render_str(_escape_lines(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable."""
        for segment in super().render(renderable, options):
            if segment.control or (segment.text.isascii() and segment.text.isprintable()):
                yield segment
            else:
                yield Segment(_escape_lines(segment.text), segment.style)


def console(**options: Any) -> Console:
    """Return a console that neither highlights nor wraps text, because programs may parse its lines."""
    return SafeConsole(**{"highlight": False, "soft_wrap": True, **options})


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a text, to stderr if `err`, with a newline unless `nl` is false."""
    typer.echo(_escape_lines(text), err=err, nl=nl)


def report(message: str) -> None:
    """Print a message to the user on stderr, after the program's name."""
    echo(f"subusers: {message}", err=True)


def print_text(text: str) -> None:
    """Print a paragraph, wrapped at words if the width of lines is limited."""
    SafeConsole(width=line_width() or WIDTH_WITHOUT_TERMINAL, highlight=False).print(Text(text), soft_wrap=False)


def line_width() -> int | None:
    """Return the width of the terminal on stdout; None for files and pipes, whose lines can have any width."""
    return Console().width if sys.stdout.isatty() else None


def cell(text: str, style: str = "") -> Text:
    """Return an escaped cell of a table."""
    return Text(escape_unprintable(text), style)


def write_json(line: str) -> None:
    """Print a line of JSON, escaped without changing its value."""
    sys.stdout.write(f"{escape_unprintable(line)}\n")


def print_json(document: Any) -> None:
    """Print a document as one line of JSON. Times are in RFC 3339; other objects than JSON's are strings."""
    write_json(json.dumps(document, separators=(",", ":"), default=_json_value))


def _json_value(value: object) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


@contextmanager
def progress_bar(
    description: str, *columns: ProgressColumn, is_shown: bool = True
) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how much of a total is done, on stderr if it is a terminal."""
    is_enabled = is_shown and sys.stderr.isatty()
    with ProgressBar(*columns, console=console(stderr=True), disable=not is_enabled, transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=max(done, total, 1))


def confirm(question: str) -> None:
    """Ask a yes-or-no question, and abort unless the answer is yes."""
    typer.confirm(escape_unprintable(question), abort=True)


def print_table(table: Table) -> None:
    """Print a table, folded to the width of lines if that is limited."""
    SafeConsole(width=line_width() or WIDTH_WITHOUT_TERMINAL, markup=False).print(table)  # brackets are not markup


def print_records(headings: Sequence[str], records: Sequence[Sequence[Text]]) -> None:
    """Print a table. If the terminal is narrower, print each record as a paragraph: its first cell, then the others."""
    table = Table(*headings, box=None)
    for cells in records:
        table.add_row(*cells)
    width = line_width()
    if width is None or Console(width=WIDTH_WITHOUT_TERMINAL).measure(table).maximum <= width:
        print_table(table)
        return
    terminal = SafeConsole(width=width, highlight=False, markup=False)
    for cells in records:
        others = [
            Text.assemble(f"{heading} ", cell) for heading, cell in zip(headings[1:], cells[1:], strict=True) if cell
        ]
        terminal.print(cells[0])
        terminal.print(Padding(Text(" · ").join(others), (0, 0, 0, PARAGRAPH_INDENT)))


def discard_unwritten_output() -> None:
    """Redirect stdout to /dev/null if its reader has gone, so that Python reports no error at exit."""
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape_lines(text: str) -> str:
    return "\n".join(map(escape_unprintable, text.split("\n")))
