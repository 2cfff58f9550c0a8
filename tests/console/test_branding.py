"""The operator's name, logo, color and links on the pages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.mail.branding import Branding, Logo
from api.presentation.accent_colors import MIN_CONTRAST, contrast_with_white, style_sheet

if TYPE_CHECKING:
    from tests.console.conftest import AccountConsole

LOGO = Logo(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml")
BRANDING = Branding("AI4CALL <b>", LOGO, "#0b6b3a", "https://portal.example/", "help@portal.example")


@pytest.fixture
def branded_console(own_console: AccountConsole) -> AccountConsole:
    """A console of an operator who has set everything."""
    service = own_console.clients.service
    object.__setattr__(service, "settings", replace(service.settings, branding=BRANDING))
    return own_console


def test_pages_show_name_logo_color_and_links(branded_console: AccountConsole) -> None:
    """Before and after login, escaped."""
    for page in (branded_console.browser().get("/login"), branded_console.owner().get("/sub-users")):
        assert page.soup.title
        assert page.soup.title.text.endswith(" · AI4CALL <b>")
        assert "AI4CALL <b>" in page.find("a.brand").text
        hrefs = {str(link["href"]) for link in page.soup.select("a[href]")}
        assert {"https://portal.example/", "mailto:help@portal.example"} <= hrefs
        browser = branded_console.browser()
        logo = browser.get(str(page.find("a.brand img")["src"])).response
        assert (logo.data, logo.content_type) == (LOGO.content, LOGO.media_type)
        assert "sandbox" in logo.headers["Content-Security-Policy"]
        css = browser.get(str(page.find("link[href$='accent.css']")["href"])).response
        assert "--accent-bg: light-dark(#0b6b3a, #0b6b3a)" in css.text
        for response in (css, logo):
            assert "immutable" in response.headers["Cache-Control"]


def test_without_settings_pages_have_the_default_look(console: AccountConsole) -> None:
    page = console.browser().get("/login")
    assert page.find("a.brand").get_text(" ", strip=True) == "S subusers"
    assert not page.soup.select("link[href$='accent.css'], a.brand img")
    assert console.browser().get("/branding/x/logo").status == 404
    assert console.browser().get("/branding/x/accent.css").status == 404


@pytest.mark.parametrize("color", ["#2f54eb", "#0b6b3a", "#000000", "#7a0000", "#6b00b3", "#767676"])
def test_derived_colors_can_be_read(color: str) -> None:
    """In both themes, text in the accent color has the required contrast with its background."""
    assert contrast_with_white(color) >= MIN_CONTRAST
    pairs = [line.partition(": light-dark(")[2].rstrip(");").split(", ") for line in style_sheet(color).split("--")[1:]]
    (text, _, soft) = [[value.strip(" );}\n") for value in pair] for pair in pairs]
    for theme in range(2):
        assert contrast(text[theme], soft[theme]) >= MIN_CONTRAST


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio, from those with white: (L1 + 0.05) / (L2 + 0.05)."""
    low, high = sorted((contrast_with_white(one), contrast_with_white(other)))
    return high / low


def test_contrast_is_that_of_wcag() -> None:
    assert contrast_with_white("#000000") == pytest.approx(21)
    assert contrast_with_white("#ffffff") == pytest.approx(1)
    assert contrast_with_white("#767676") == pytest.approx(4.54, abs=0.005)
