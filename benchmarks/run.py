"""Measures every line of docs/performance.md: our figure, the limit or peer, whether the bar is met. Exits 1 if not.

`make bench` measures everything at full size, and writes the table and the plot of docs/performance.md. With names of
benchmarks (`make bench ARGS=logins`) it updates only their lines. `make bench-short` tries every line on less data
within ten minutes, and only prints.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks import report
from benchmarks.lines import FULL, SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.lines import Line, Scale

SUBJECTS: tuple[str, ...] = (
    "appends",
    "hot_paths",
    "access",
    "logins",
    "visibility",
    "rebuild",
    "old_accounts",
    "growth",
    "memory",
)
"""Modules of this folder, in the order of the table. Each has a function `measure(scale) -> list[Line]`."""

DOCS = Path(__file__).parent.parent / "docs"


def measure_all(subjects: Sequence[str], scale: Scale, console: Console) -> Iterator[Line]:
    """Measure one subject after another, and print each result as soon as it is known."""
    for subject in subjects:
        started_at = time.monotonic()
        lines: list[Line] = importlib.import_module(f"benchmarks.{subject}").measure(scale)
        console.print(report.table(lines), f"{subject}: {time.monotonic() - started_at:.0f} s\n")
        yield from lines


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", metavar="subject", help=f"any of {', '.join(SUBJECTS)}; default: all")
    parser.add_argument("--short", action="store_true", help="measure on less data")
    args = parser.parse_args()
    unknown = set(args.subjects) - set(SUBJECTS)
    if unknown:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    console = Console()
    lines = list(measure_all(args.subjects or SUBJECTS, SHORT if args.short else FULL, console))
    console.print(report.table(lines))
    if not args.short:
        report.write(lines, DOCS)
    return int(not all(line.is_met for line in lines))


if __name__ == "__main__":
    sys.exit(main())
