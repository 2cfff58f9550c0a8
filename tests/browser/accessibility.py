"""What axe-core, as npm has it, finds wrong with a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
GRAVE = frozenset({"serious", "critical"})

OF_LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")
"""Rules whose outcome depends on colors or on the window's size; the others go by what the page is made of."""

RUN = """async only => (await axe.run(document, {
    runOnly: only,
    resultTypes: ["violations"],
    iframes: false,
})).violations"""
"""Mails in frames are sandboxed: no script of anybody's runs there."""


def require_accessible(page: Page, *, looks_alone: bool = False) -> None:
    """Require that axe finds nothing serious; anything less is printed, for whoever reads it."""
    only = {"type": "rule", "values": OF_LOOKS} if looks_alone else {"type": "tag", "values": TAGS}
    grave = []
    for violation in _violations(page, only):
        where = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
        told = f"{page.url}: {violation['impact']}: {violation['id']}: {violation['help']}: {where}"
        print(told)
        if violation["impact"] in GRAVE:
            grave.append(told)
    assert not grave, "\n".join(grave)


def require_no_scrolling_sideways(page: Page) -> None:
    """Require that the page is no wider than the window."""
    width, room = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= room, (page.url, width, room)


def _violations(page: Page, only: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what axe finds. The script is run from the outside: the page's policy would have none inside it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(RUN, only)
    return found
