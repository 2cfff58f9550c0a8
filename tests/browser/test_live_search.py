"""Live search: the page says when it could not be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser import chromium
from tests.browser.actors import log_in
from tests.browser.service import OWNER_PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.service import RunningService

pytestmark = pytest.mark.long


def test_search_without_connection_is_told(service: RunningService, browser: Browser) -> None:
    """The next search that works takes the message away."""
    visits = chromium.Visits(browser, service.url)  # with errors of its own
    page, company = visits.new_page(), service.register_company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNER_PASSWORD)
    page.context.set_offline(True)
    page.locator("#q").fill("nobody")
    expect(page.get_by_role("alert")).to_contain_text("Check your connection")
    expect(page.locator("#list")).to_contain_text("Grace Hopper")
    page.context.set_offline(False)
    page.locator("#q").fill("nobody at all")
    expect(page.locator("#list")).not_to_contain_text("Grace Hopper")
    expect(page.get_by_role("alert")).to_be_hidden()
    page.context.close()
