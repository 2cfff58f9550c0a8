"""Every page is accessible, in light and dark, on wide screens and phones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.api.route_table import routes
from tests.browser import chromium
from tests.browser.accessibility import require_no_horizontal_scrolling
from tests.browser.actors import log_in, log_in_as_sub_user
from tests.browser.gallery import VIEWS, Gallery, View, paths
from tests.browser.service import OWNER_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

    from tests.browser.chromium import Visits
    from tests.browser.service import RunningService

EXCLUDED_PATHS = {
    *("/", "/assets/{}/{}", "/mailbox/{}/body", "/monitoring/export.csv", "/monitoring/export-codes.csv"),
    *("/monitoring/export.xlsx", "/sub-users/export.csv", "/sub-users/export.xlsx"),
    *("/branding/{}/logo", "/branding/{}/accent.css", "/sub-users/chosen"),
}
"""Redirects and files. The sender determines the body of a mail."""


WIDTHS = (320, 768, 1024, 1440)
"""The smallest phone, a tablet, and the narrowest and a common window with the sidebar, in pixels."""


@pytest.fixture(scope="session")
def gallery(browser: Browser, service: RunningService) -> Gallery:
    """An account with every view of the gallery."""
    return Gallery(service, chromium.Visits(browser, service.url))


def test_gallery_covers_every_page() -> None:
    def without_names(path: str) -> str:
        return re.sub(r"\{\w+\}", "{}", path)

    page_paths = {without_names(route.documented_path) for route in routes() if route.audiences}
    post_paths = {without_names(route.documented_path) for route in routes() if route.method == "POST"}
    covered_paths = {without_names(path) for path in paths()} | {
        "/console/link/{}",
        "/password-reset/{}",
        "/invitation/{}",
    }
    assert page_paths - post_paths - EXCLUDED_PATHS <= covered_paths


@pytest.mark.long
@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_page_is_accessible(view: View, gallery: Gallery, visits: Visits, axe: Callable[..., None]) -> None:
    """It is checked in both themes and all layouts. Its language is Italian, whose words are longer."""
    page = gallery.show(view, visits, language="it")
    axe(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": chromium.WIDE["height"]})
        require_no_horizontal_scrolling(page)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            axe(page, appearance_only=True)


@pytest.mark.long
@pytest.mark.parametrize("phone", [True, False], ids=["phone", "wide"])
def test_longest_names_fit_into_the_window(service: RunningService, visits: Visits, phone: bool) -> None:
    """The names have no spaces. In a wide window, the row's actions are visible without scrolling."""
    page = visits.new_page(phone=phone)
    company = service.register_company(company_name="W" * 100)
    company.add(name="N" * 100, surname="S" * 100, email=f"{'a' * 64}@{'.'.join(['b' * 60] * 3)}.it")
    log_in(page, company.email, OWNER_PASSWORD)
    require_no_horizontal_scrolling(page)
    if phone:
        return
    delete_link = page.get_by_role("link", name=f"Delete {'N' * 100}").bounding_box()
    assert delete_link
    assert delete_link["x"] + delete_link["width"] <= chromium.WIDE["width"]


@pytest.mark.long
@pytest.mark.parametrize("width", WIDTHS)
def test_actions_of_a_row_are_in_the_window(service: RunningService, visits: Visits, width: int) -> None:
    """No part of a row is cut off, however long the e-mail is."""
    page, company = visits.new_page(), service.register_company()
    company.add(name="Grace", surname="Hopper", email=f"{'a' * 64}@company.example")
    log_in(page, company.email, OWNER_PASSWORD)
    page.set_viewport_size({"width": width, "height": 800})
    box = page.locator("tbody .c-more").bounding_box()
    assert box
    assert box["x"] + box["width"] <= width


@pytest.mark.long
def test_switch_shows_its_state_in_forced_colors(gallery: Gallery, visits: Visits) -> None:
    view = next(view for view in VIEWS if view.name == "edit")
    switch = gallery.show(view, visits, forced_colors="active").get_by_role("switch")
    background = "element => getComputedStyle(element).backgroundColor"
    switch.check()
    checked = switch.evaluate(background)
    switch.uncheck()
    assert switch.evaluate(background) != checked


@pytest.mark.long
@pytest.mark.parametrize("phone", [True, False], ids=["phone", "wide"])
def test_longest_roles_fit_into_the_window(service: RunningService, visits: Visits, phone: bool) -> None:
    """Names of roles and resources, ids and reasons have no spaces."""
    page, company = visits.new_page(phone=phone), service.register_company()
    ada = company.add_with_own_password(name="N" * 100, surname="S" * 100)
    role = {"name": "R" * 100, "description": "D" * 500, "permissions": ["assistants"]}
    role_id = company.portal.call(201, "POST", f"{company.path}/roles", role).json()["role_id"]
    resource = {"type": "assistant", "id": "I" * 200, "label": "L" * 100}
    grants = [{"role_id": role_id, "resource": resource, "expires_at": "2099-01-31T12:00:00Z"}]
    body = {"grants": grants, "reason": "W" * 500}
    (grant,) = company.portal.call(200, "PUT", f"{ada.path}/grants", body).json()["items"]
    log_in(page, company.email, OWNER_PASSWORD)
    roles_path = f"/sub-users/{ada.sub_user_id}/roles"
    paths = ["/roles", f"/roles/{role_id}/edit", f"/roles/{role_id}/delete", "/monitoring", roles_path]
    for path in (*paths, f"{roles_path}/new", f"{roles_path}/{grant['grant_id']}/revoke"):
        page.goto(path)
        require_no_horizontal_scrolling(page)
    page = visits.new_page(phone=phone)
    log_in_as_sub_user(page, company.email, ada.email, ada.password)
    expect(page.locator(".grants")).to_contain_text("R" * 100)
    require_no_horizontal_scrolling(page)


@pytest.mark.long
def test_mail_can_be_read_in_the_dark_theme(gallery: Gallery, visits: Visits) -> None:
    """The mail follows the reader's theme, so the frame has no background of its own."""
    page = gallery.show(next(view for view in VIEWS if view.name == "mail"), visits, dark=True)
    background = page.locator("iframe.mail").evaluate("element => getComputedStyle(element).backgroundColor")
    assert background == "rgba(0, 0, 0, 0)"
