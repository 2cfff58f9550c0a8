"""Without a mouse: every step by Tab, Space and Enter, and the focus always seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.people import NOTICE, edit, log_in
from tests.browser.service import OWNERS

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.chromium import Visits
    from tests.browser.service import Shown

MOST_STEPS = 60

pytestmark = pytest.mark.long


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there, where it can be seen."""
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            break
    focused = page.locator(selector)
    expect(focused).to_be_focused()
    expect(focused).to_be_visible()
    style = "element => getComputedStyle(element).outlineStyle + getComputedStyle(element).boxShadow"
    assert page.evaluate("matchMedia('(prefers-color-scheme: light)').matches")
    assert focused.evaluate(style) != "nonenone"


def test_logging_in(service: Shown, visits: Visits) -> None:
    """From the address to the first page, with the toggle of the password on the way."""
    page = visits.new()
    company = service.company()
    page.goto("/login")
    tab_to(page, "input[name=email]")
    page.keyboard.type(company.email)
    tab_to(page, "input[name=password]")
    page.keyboard.type(OWNERS)
    tab_to(page, "[data-show]")
    page.keyboard.press("Space")
    expect(page.locator("input[name=password]")).to_have_attribute("type", "text")
    tab_to(page, "main form button:not([type=button])")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{service.url}/sub-users")


def test_editing(service: Shown, visits: Visits) -> None:
    """A name and the Active toggle, from the list to the list."""
    page = visits.new()
    company = service.company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNERS)
    tab_to(page, "a[href$='/edit']")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Edit Grace Hopper")
    tab_to(page, "input[name=name]")
    page.keyboard.press("Control+A")
    page.keyboard.type("Amazing")
    tab_to(page, "input[name=active]")
    page.keyboard.press("Space")
    tab_to(page, "main form[method=post] button:not([type=button])")
    page.keyboard.press("Enter")
    expect(page.locator(NOTICE)).to_contain_text("Activated.")
    expect(page.get_by_role("row").filter(has_text="Amazing Hopper")).to_have_count(1)


def test_the_menu_can_be_skipped(service: Shown, visits: Visits) -> None:
    """The first stop of every page is a link that leads past it."""
    page = visits.new()
    company = service.company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNERS)
    edit(page, "Grace Hopper")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
