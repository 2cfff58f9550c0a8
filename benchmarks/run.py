"""Every line of docs/performance.md: ours, the limit or peer beside it, and whether the bar is met. Exits 1 if not.

`make bench` measures all of it at full size, and writes the table and the plot of docs/performance.md; of a part of it,
`make bench ARGS=logins`, its lines take the place of earlier ones. `make bench-short` tries every line on less data,
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
    "logins",
    "visibility",
    "rebuild",
    "old_accounts",
    "growth",
    "memory",
)
"""Modules of this folder, each with a `measure(scale) -> list[Line]`, in the order of the table."""

DOCS = Path(__file__).parent.parent / "docs"


def measured(subjects: Sequence[str], scale: Scale, console: Console) -> Iterator[Line]:
    """Measure one subject after the other, and say what it came to as soon as it is known."""
    for subject in subjects:
        began = time.monotonic()
        lines: list[Line] = importlib.import_module(f"benchmarks.{subject}").measure(scale)
        console.print(report.table(lines), f"{subject}: {time.monotonic() - began:.0f} s\n")
        yield from lines


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "subjects", nargs="*", metavar="subject", help=f"of {', '.join(SUBJECTS)}; all if none is given"
    )
    parser.add_argument("--short", action="store_true", help="on less data")
    given = parser.parse_args()
    unknown = set(given.subjects) - set(SUBJECTS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    console = Console()
    lines = list(measured(given.subjects or SUBJECTS, SHORT if given.short else FULL, console))
    console.print(report.table(lines))
    if not given.short:
        report.write(lines, DOCS)
    return int(not all(line.met for line in lines))


if __name__ == "__main__":
    sys.exit(main())
