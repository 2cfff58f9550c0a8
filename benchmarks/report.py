"""Table of the measured lines, for the terminal and docs/performance.md, and its plot."""

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
"""Cells of a table row, in the order of `HEADINGS`."""

HEADINGS = ("what", "ours", "limit or peer", "ratio", "bar", "")

ROW_HEIGHT, BARS_X, WIDTH = 34, 380, 820
"""Layout of the plot in pixels: height of a row, left edge of the bars, total width."""

MAX_RELATIVE = 3.0
"""Ratio divided by its bar at which a bar of the plot has the full width. Larger ones are cut."""


def table(lines: Sequence[Line]) -> Table:
    """Return the lines as a table for the terminal."""
    result = Table(*HEADINGS)
    for line in lines:
        result.add_row(*_cells(line), style=None if line.is_met else "red")
    return result


def write(lines: Sequence[Line], docs: Path) -> None:
    """Update these lines in the table of docs/performance.md, and redraw the plot. Other lines stay."""
    page = docs / "performance.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    section, _, after = rest.partition(END)
    rows = _rows(section) | {line.label: _cells(line) for line in lines}
    page.write_text(before + BEGIN + _markdown(rows.values()) + END + after, encoding="utf-8")
    (docs / "performance.svg").write_text(_plot(list(rows.values())), encoding="utf-8")


def _rows(section: str) -> dict[str, Row]:
    """Return the rows of an existing table, by label."""
    cells = [tuple(line.strip("| ").split(" | ")) for line in section.splitlines() if line.startswith("| ")]
    return {row[0]: row for row in cells[2:]}


def _markdown(rows: Iterable[Row]) -> str:
    introduction = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, Python {platform.python_version()}."
    )
    table = [HEADINGS, ("---",) * len(HEADINGS), *rows]
    return f"{introduction}\n\n![Each ratio beside its bar](performance.svg)\n\n" + "".join(
        f"| {' | '.join(row)} |\n" for row in table
    )


def _cells(line: Line) -> Row:
    limit = f"{_number(line.limit)} {line.unit}, {line.limit_label}"
    bar = f"{'≥' if line.is_minimum else '≤'} {line.bar:g}"
    return (
        line.label,
        f"{_number(line.ours)} {line.unit}",
        limit,
        f"{line.ratio:.2f}",
        bar,
        "met" if line.is_met else "missed",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _plot(rows: Sequence[Row]) -> str:
    """Return an SVG of the ratios as bars, scaled so that the bar to meet is at the same place for all."""
    height = ROW_HEIGHT * len(rows) + 40
    unit_width = (WIDTH - BARS_X) / MAX_RELATIVE
    bars = "".join(_bar(row, 30 + ROW_HEIGHT * number, unit_width) for number, row in enumerate(rows))
    mark_x = BARS_X + unit_width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12" fill="#444">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{bars}'
        f'<line x1="{mark_x:.0f}" x2="{mark_x:.0f}" y1="22" y2="{height - 8}" stroke="#444" stroke-dasharray="3 3"/>'
        f'<text x="{mark_x:.0f}" y="16" text-anchor="middle">the bar</text></svg>\n'
    )


def _bar(row: Row, y: int, unit_width: float) -> str:
    label, _, _, ratio, bar, met = row
    sense, _, number = bar.partition(" ")
    bar_width = unit_width * min(float(ratio) / float(number), MAX_RELATIVE)
    color = "#2a7" if met == "met" else "#c33"
    better = "more" if sense == "≥" else "less"
    return (
        f'<text x="{BARS_X - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{BARS_X}" y="{y}" width="{bar_width:.0f}" height="18" fill="{color}"/>'
        f'<text x="{BARS_X + 6}" y="{y + 13}" fill="#fff">{ratio}, {better} is better</text>'
    )
