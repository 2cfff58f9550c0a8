"""The table of what was measured, on a terminal and in docs/performance.md, and its plot."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from benchmarks.lines import Line

BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
Row = tuple[str, ...]
"""Of the table: what is under each of its headings."""

HEADINGS = ("what", "ours", "limit or peer", "ratio", "bar", "")

ROW, LABEL, WIDTH, WIDEST = 34, 380, 820, 3.0
"""Of the plot, in pixels: a row's height, where the bars begin, the whole width; and the ratio/bar that fills it."""


def table(lines: Sequence[Line]) -> Table:
    """Return the lines for a terminal."""
    shown = Table(*HEADINGS)
    for line in lines:
        shown.add_row(*_cells(line), style=None if line.met else "red")
    return shown


def write(lines: Sequence[Line], docs: Path) -> None:
    """Put these into the table in docs/performance.md, each in the place of an earlier one, and draw its plot."""
    page = docs / "performance.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    measured, _, after = rest.partition(END)
    rows = _rows(measured) | {line.what: _cells(line) for line in lines}
    page.write_text(before + BEGIN + _markdown(rows.values()) + END + after, encoding="utf-8")
    (docs / "performance.svg").write_text(_plot(list(rows.values())), encoding="utf-8")


def _rows(measured: str) -> dict[str, Row]:
    """Return the rows of a table that was written before, by what was measured."""
    cells = [tuple(line.strip("| ").split(" | ")) for line in measured.splitlines() if line.startswith("| ")]
    return {one[0]: one for one in cells[2:]}


def _markdown(rows: Iterable[Row]) -> str:
    told = f"Measured on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, Python {platform.python_version()}."
    table = [HEADINGS, ("---",) * len(HEADINGS), *rows]
    return f"{told}\n\n![Each ratio beside its bar](performance.svg)\n\n" + "".join(
        f"| {' | '.join(row)} |\n" for row in table
    )


def _cells(line: Line) -> Row:
    limit = f"{_number(line.limit)} {line.unit}, {line.against}"
    bar = f"{'≥' if line.at_least else '≤'} {line.bar:g}"
    return (
        line.what,
        f"{_number(line.ours)} {line.unit}",
        limit,
        f"{line.ratio:.2f}",
        bar,
        "met" if line.met else "missed",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _plot(rows: Sequence[Row]) -> str:
    """Return each ratio as a bar, scaled so that what the line has to meet is the same mark for all."""
    height = ROW * len(rows) + 40
    one = (WIDTH - LABEL) / WIDEST
    bars = "".join(_bar(row, 30 + ROW * number, one) for number, row in enumerate(rows))
    mark = LABEL + one
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12" fill="#444">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{bars}'
        f'<line x1="{mark:.0f}" x2="{mark:.0f}" y1="22" y2="{height - 8}" stroke="#444" stroke-dasharray="3 3"/>'
        f'<text x="{mark:.0f}" y="16" text-anchor="middle">the bar</text></svg>\n'
    )


def _bar(row: Row, y: int, one: float) -> str:
    what, _, _, ratio, bar, met = row
    sense, _, number = bar.partition(" ")
    reached = float(ratio) / float(number)
    color = "#2a7" if met == "met" else "#c33"
    better = "more" if sense == "≥" else "less"
    return (
        f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{escape(what)}</text>'
        f'<rect x="{LABEL}" y="{y}" width="{one * min(reached, WIDEST):.0f}" height="18" fill="{color}"/>'
        f'<text x="{LABEL + 6}" y="{y + 13}" fill="#fff">{ratio}, {better} is better</text>'
    )
