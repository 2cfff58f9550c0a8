"""Accessibility checks with axe-core."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE_SCRIPT = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
RULE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
APPEARANCE_RULES = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")
"""Rules that depend on colors or the window size. The result of all others is the same in every theme and window."""

RUN_AXE = """async rules => (await axe.run(document, {
    runOnly: rules,
    resultTypes: ["violations"],
    iframes: false,
})).violations"""
"""Frames are skipped: the mails in them are sandboxed and run no scripts."""


def require_accessible(page: Page, *, appearance_only: bool = False) -> None:
    """Require that axe finds no violation.

    `appearance_only` checks `APPEARANCE_RULES`, for a page whose markup has been checked.
    """
    rules = {"type": "rule", "values": APPEARANCE_RULES} if appearance_only else {"type": "tag", "values": RULE_TAGS}
    failures = []
    for violation in _violations(page, rules):
        targets = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
        report = f"{page.url}: {violation['impact']}: {violation['id']}: {violation['help']}: {targets}"
        failures.append(report)
    assert not failures, "\n".join(failures)


def require_no_horizontal_scrolling(page: Page) -> None:
    """Require that the page is not wider than the window."""
    width, window_width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= window_width, (page.url, width, window_width)


def _violations(page: Page, rules: dict[str, Any]) -> list[dict[str, Any]]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT.read_text(encoding="utf-8"))  # not a script tag, which the page's policy forbids
    violations: list[dict[str, Any]] = page.evaluate(RUN_AXE, rules)
    return violations
