"""Every page: for everybody to use, in light and dark, on a wide screen and on a phone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.api.route_table import routes
from tests.browser import chromium
from tests.browser.accessibility import require_no_scrolling_sideways
from tests.browser.gallery import SIGHTS, Gallery, Sight, paths
from tests.browser.people import log_in
from tests.browser.service import OWNERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

    from tests.browser.chromium import Visits
    from tests.browser.service import Shown

NOT_SEEN = {"/", "/assets/{}/{}", "/mailbox/{}/body", "/monitoring/export.csv"}
"""They lead elsewhere, or are no pages; a mail's body is what the mail's sender made it."""


@pytest.fixture(scope="session")
def gallery(browser: Browser, service: Shown) -> Gallery:
    """Give what shows the pages."""
    return Gallery(service, chromium.Visits(browser, service.url))


def test_every_page_is_looked_at() -> None:
    """Whatever pages there will be."""
    declared = {re.sub(r"\{\w+\}", "{}", page.documented_path) for page in routes() if page.audience}
    looked_at = {re.sub(r"\{\w+\}", "{}", path) for path in paths()} | {"/console/link/{}"}
    forms_alone = {re.sub(r"\{\w+\}", "{}", page.documented_path) for page in routes() if page.method == "POST"}
    assert declared - forms_alone - NOT_SEEN <= looked_at


@pytest.mark.long
@pytest.mark.parametrize("sight", SIGHTS, ids=str)
def test_a_page_can_be_used_by_everybody(
    sight: Sight, gallery: Gallery, visits: Visits, axe: Callable[..., None]
) -> None:
    """Nothing serious for axe to find, light or dark, and no wider than a phone, in the language of longer words."""
    page = gallery.show(sight, visits, language="it")
    axe(page)
    page.emulate_media(color_scheme="dark")
    axe(page, looks_alone=True)
    page.set_viewport_size(chromium.PHONE)  # type: ignore[arg-type]  # a TypedDict of the library's own
    require_no_scrolling_sideways(page)
    axe(page, looks_alone=True)
    page.emulate_media(color_scheme="light")
    axe(page, looks_alone=True)


@pytest.mark.long
@pytest.mark.parametrize("phone", [True, False], ids=["phone", "wide"])
def test_the_longest_names_leave_room_for_the_rest(service: Shown, visits: Visits, phone: bool) -> None:
    """Of somebody without a single space in them: what can be done with them stays in the window."""
    page = visits.new(phone=phone)
    company = service.company(company_name="W" * 100)
    company.add(name="N" * 100, surname="S" * 100, email=f"{'a' * 64}@{'.'.join(['b' * 60] * 3)}.it")
    log_in(page, company.email, OWNERS)
    require_no_scrolling_sideways(page)
    if phone:
        return
    trash = page.locator("a[href$='/delete']").bounding_box()
    assert trash
    assert trash["x"] + trash["width"] <= chromium.WIDE["width"]
