"""Icons, style sheets and theme of the console."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from api.console.pages import ICONS, STATIC, THEMES

if TYPE_CHECKING:
    from tests.console.conftest import AccountConsole

TEMPLATES = STATIC.parent / "templates" / "console"
THEME = "__Host-subusers-theme"


def test_every_icon_of_the_templates_is_in_the_sprite() -> None:
    symbols = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / ICONS).read_text(encoding="utf-8")))
    names = {
        name for file in TEMPLATES.glob("*.html") for name in re.findall(r'icon\("([^"]+)"\)', file.read_text("utf-8"))
    }
    assert names
    assert names - symbols == set()


@pytest.mark.parametrize("theme", THEMES)
def test_chosen_theme_applies_to_every_page(console: AccountConsole, theme: str) -> None:
    browser = console.browser()
    page = browser.submit(browser.get("/preferences"), theme=theme)
    assert page.find("html")["data-theme"] == theme
    assert page.find("#theme option[selected]")["value"] == theme
    page = browser.submit(page, theme="")
    assert not page.find("html").has_attr("data-theme")


def test_unknown_theme_is_ignored(console: AccountConsole) -> None:
    browser = console.browser()
    browser.set_cookie(THEME, '"><script>')
    assert not browser.get("/preferences").find("html").has_attr("data-theme")


def test_links_have_no_role_of_a_button() -> None:
    """Space scrolls on a link, where people expect a button to react to it."""
    for file in TEMPLATES.glob("*.html"):
        assert not re.search(r"<a\b(?:[^<>{]|\{\{.*?\}\})* role=", file.read_text(encoding="utf-8")), file.name
