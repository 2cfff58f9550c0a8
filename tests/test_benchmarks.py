"""The benchmark report: tables and plots in docs/performance.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import report
from benchmarks.lines import Line, median_of

if TYPE_CHECKING:
    from pathlib import Path

LOGINS = Line("logins", 88, "logins/s", "argon2 on 2 cores", 100, 0.85)
READS = Line("last page", 2.5, "ms", "a hundredth of that", 2.0, 1.25, is_minimum=False)


def page_of(docs: Path) -> str:
    return (docs / "performance.md").read_text(encoding="utf-8")


def test_new_measurements_replace_the_lines_of_their_part(tmp_path: Path) -> None:
    """The table and the plot change; the rest of the page does not."""
    (tmp_path / "performance.md").write_text(f"before\n{report.BEGIN}{report.END}after\n", encoding="utf-8")
    report.write([LOGINS, READS], tmp_path)
    report.write([Line("logins", 80, "logins/s", "argon2 on 2 cores", 100, 0.85)], tmp_path)

    page = page_of(tmp_path)
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    rows = [line for line in page.splitlines() if line.startswith("| l")]
    assert rows == [
        "| logins | 80 logins/s | 100 logins/s, argon2 on 2 cores | 0.80 | ≥ 0.85 | missed |",
        "| last page | 2.5 ms | 2 ms, a hundredth of that | 1.25 | ≤ 1.25 | met |",
    ]
    plot = (tmp_path / "performance.svg").read_text(encoding="utf-8")
    assert "0.80, more is better" in plot
    assert "1.25, less is better" in plot


def test_the_run_with_the_median_ratio_is_reported() -> None:
    """The measurement and its limit come from the same run."""
    runs = [
        Line("logins", measured, "logins/s", "argon2", limit, 0.85)
        for measured, limit in ((80, 100), (90, 90), (50, 100))
    ]
    assert median_of(runs) == runs[0]
    assert not median_of(runs).is_met
