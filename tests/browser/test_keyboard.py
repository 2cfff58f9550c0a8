"""Keyboard-only use of the console, with a visible focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser import chromium
from tests.browser.actors import SUCCESS_MESSAGE, log_in, open_edit_form
from tests.browser.service import OWNER_PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.chromium import Visits
    from tests.browser.service import RunningService

MAX_TABS = 60
"""More than any page has elements that take the focus."""


pytestmark = pytest.mark.long


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus, and require that the focus is visible.

    In the light color scheme, it is visible by an outline or a shadow.
    """
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            break
    focused = page.locator(selector)
    expect(focused).to_be_focused()
    expect(focused).to_be_visible()
    style = "element => getComputedStyle(element).outlineStyle + getComputedStyle(element).boxShadow"
    assert page.evaluate("matchMedia('(prefers-color-scheme: light)').matches")
    assert focused.evaluate(style) != "nonenone"


def test_owner_logs_in_with_the_keyboard(service: RunningService, visits: Visits) -> None:
    """The button that shows the password can be used too."""
    page = visits.new_page()
    company = service.register_company()
    page.goto("/login")
    tab_to(page, "input[name=email]")
    page.keyboard.type(company.email)
    tab_to(page, "input[name=password]")
    page.keyboard.type(OWNER_PASSWORD)
    tab_to(page, "[data-show]")
    page.keyboard.press("Space")
    expect(page.locator("input[name=password]")).to_have_attribute("type", "text")
    tab_to(page, "main form:not([data-passkey]) button:not([type=button])")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{service.url}/sub-users")


def test_sub_user_is_edited_with_the_keyboard(service: RunningService, visits: Visits) -> None:
    page = visits.new_page()
    company = service.register_company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNER_PASSWORD)
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
    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text("Activated.")
    expect(page.get_by_role("row").filter(has_text="Amazing Hopper")).to_have_count(1)


def test_every_tab_stop_of_the_list_is_visible_on_a_phone(service: RunningService, visits: Visits) -> None:
    """Elements that are hidden on narrow screens take no focus."""
    page, company = visits.new_page(phone=True), service.register_company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNER_PASSWORD)
    seen = 0
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        box = page.evaluate(
            "(({x, y, width, height}) => [x, y, width, height])(document.activeElement.getBoundingClientRect())"
        )
        if page.evaluate("document.activeElement === document.body"):
            break
        seen += 1
        assert min(box[2:]) > 1, page.evaluate("document.activeElement.outerHTML")
        assert 0 <= box[0] <= box[0] + box[2] <= chromium.PHONE["width"], page.evaluate(
            "document.activeElement.outerHTML"
        )
    assert seen > 5


def test_menu_closes_with_escape_and_with_a_click_elsewhere(service: RunningService, visits: Visits) -> None:
    page, company = visits.new_page(), service.register_company()
    log_in(page, company.email, OWNER_PASSWORD)
    menu, log_out = page.get_by_label("Your menu"), page.get_by_role("button", name="Log out")
    menu.focus()
    page.keyboard.press("Enter")
    expect(log_out).to_be_visible()
    page.keyboard.press("Escape")
    expect(log_out).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    expect(log_out).to_be_visible()
    page.get_by_role("heading", level=1).click()
    expect(log_out).to_be_hidden()


def test_skip_link_leads_past_the_menu(service: RunningService, visits: Visits) -> None:
    page = visits.new_page()
    company = service.register_company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNER_PASSWORD)
    open_edit_form(page, "Grace Hopper")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
