"""Frequent tasks of an owner, with the number of clicks that each takes, and the pages on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser import chromium
from tests.browser.accessibility import require_no_horizontal_scrolling
from tests.browser.actors import SUCCESS_MESSAGE, log_in
from tests.browser.service import OWNER_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.chromium import Visits
    from tests.browser.service import RunningService
    from tests.processes.portal import Company

pytestmark = pytest.mark.long

TUESDAY = 1

COUNT_CLICKS = """addEventListener("pointerdown", () => {
    sessionStorage.clicks = Number(sessionStorage.clicks ?? 0) + 1;
}, true);"""

SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


def open_list(
    service: RunningService, visits: Visits, *, scripts: bool = True, people: int = 1
) -> tuple[Page, Company]:
    """Return the list of a company's sub-users, who are active, on a page that counts clicks if scripts run."""
    page = visits.new_page(java_script_enabled=scripts)
    company = service.register_company()
    for number in range(people):
        company.add(name=f"Ada {number}", surname="Lovelace").change(status="active")
    log_in(page, company.email, OWNER_PASSWORD)
    if scripts:
        page.add_init_script(COUNT_CLICKS)
        page.reload()
    return page, company


def clicks(page: Page) -> int:
    return int(page.evaluate("sessionStorage.clicks ?? 0"))


@SCRIPTS
def test_a_leaver_is_deactivated_with_two_clicks(service: RunningService, visits: Visits, scripts: bool) -> None:
    page, _ = open_list(service, visits, scripts=scripts)

    page.get_by_role("switch", name="Access of Ada 0 Lovelace").click()
    page.get_by_role("button", name="Deactivate").click()

    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text("Deactivated.")
    expect(page.get_by_role("switch")).not_to_be_checked()
    if scripts:
        assert clicks(page) <= 2


def test_questions_open_over_the_page(service: RunningService, visits: Visits, axe: Callable[..., None]) -> None:
    """Cancel and Escape close them, and the focus returns to the button. Nothing happens before the answer."""
    page, company = open_list(service, visits)
    switch = page.get_by_role("switch", name="Access of Ada 0 Lovelace")

    switch.click()
    question = page.get_by_role("dialog", name="Deactivate Ada 0 Lovelace?")
    expect(question).to_contain_text("Reactivating sends a new password.")
    require_accessible_everywhere(page, axe)
    question.get_by_role("link", name="Cancel").click()
    expect(question).to_be_hidden()
    expect(switch).to_be_focused()

    page.get_by_role("link", name="Delete Ada 0 Lovelace").click()
    expect(page.get_by_role("dialog", name="Delete Ada 0 Lovelace?")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Ada 0 Lovelace", exact=True).click()
    page.get_by_role("button", name="Deactivate").click()
    page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()

    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text("Deactivated.")
    assert [sub_user["status"] for sub_user in company.sub_users()] == ["inactive"]


def test_switch_activates_in_its_row(service: RunningService, visits: Visits) -> None:
    """The rest of the page stays, with what is chosen in it, and the focus stays on the switch."""
    page, company = open_list(service, visits)
    company.add(name="Grace", surname="Hopper")
    page.reload()
    page.get_by_role("checkbox", name="Select Ada").check()

    page.get_by_role("switch", name="Access of Grace Hopper").click()

    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text("Activated.")
    expect(page.get_by_role("switch", name="Access of Grace Hopper")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Select Ada")).to_be_checked()
    expect(page.locator("#tabs")).to_contain_text("Invited2")


@SCRIPTS
def test_five_leavers_are_deactivated_with_eight_clicks(
    service: RunningService, visits: Visits, axe: Callable[..., None], scripts: bool
) -> None:
    page, _ = open_list(service, visits, scripts=scripts, people=6)

    for number in range(5):
        page.get_by_role("checkbox", name=f"Select Ada {number}").click()
    page.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Deactivate these people?")
    if scripts:
        require_accessible_everywhere(page, axe)
    page.get_by_role("button", name="Deactivate 5 people").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Deactivated: 5 of 5")
    if scripts:
        assert clicks(page) <= 8
        require_accessible_everywhere(page, axe)


@SCRIPTS
def test_a_consultant_gets_access_until_friday_with_eight_clicks(
    service: RunningService, visits: Visits, scripts: bool
) -> None:
    page, company = open_list(service, visits, scripts=scripts)

    page.get_by_role("link", name="+ ADD SUB-USER").click()
    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type("consultant@studio.example")
    page.get_by_label("Name", exact=True).click()
    page.keyboard.type("Anna")
    page.get_by_label("Surname").click()
    page.keyboard.type("Greco")
    page.get_by_role("radio", name="Friday").click()
    page.get_by_role("switch", name="Activate now").click()
    page.get_by_role("button", name="SAVE").click()

    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text("Added and activated.")
    if scripts:
        assert clicks(page) <= 8
    listed = service.portal.call(200, "GET", f"{company.path}/sub-users?q=consultant").json()["items"]
    assert listed[0]["access_expires_at"] is not None
    assert listed[0]["status"] == "active"


def test_who_changed_an_assistant_last_tuesday_takes_four_clicks(
    service: RunningService, visits: Visits, axe: Callable[..., None]
) -> None:
    """With the names that the portal has registered."""
    types = {
        "groups": [{"name": "assistants", "labels": {"en": "Assistants", "it": "Assistenti"}}],
        "activity_types": [
            {
                "action": "assistant.edited",
                "labels": {"en": "Assistant changed", "it": "Assistente modificato"},
                "sentences": {"en": "changed the assistant {target}", "it": "ha modificato l'assistente {target}"},
                "group": "assistants",
                "effect": "change",
            }
        ],
    }
    service.portal.call(200, "PUT", "/v1/activity-types", types)
    page, company = open_list(service, visits)
    sub_user_id = service.portal.call(200, "GET", f"{company.path}/sub-users").json()["items"][0]["sub_user_id"]
    now = datetime.now(UTC)
    days_ago = (now.weekday() - TUESDAY) % 7 or 7
    days = [now.replace(hour=12) - timedelta(days=days_ago + difference) for difference in (0, 1)]
    activities = [
        {
            "sub_user_id": sub_user_id,
            "action": "assistant.edited",
            "target": f"Front desk {number}",
            "occurred_at": day.isoformat(),
        }
        for number, day in enumerate(days)
    ]
    service.portal.call(201, "POST", f"{company.path}/activities", {"activities": activities})

    page.get_by_role("link", name="Activity").click()
    if days_ago == 1:
        page.get_by_role("link", name="Yesterday").click()
    else:
        page.get_by_text("Dates…").click()
        page.get_by_role("link", name="Tuesday").click()
    page.get_by_role("link", name="Assistants").click()

    sentences = page.locator(".tl summary")
    expect(sentences).to_have_count(1)
    expect(sentences).to_contain_text("Ada 0 Lovelace changed the assistant Front desk 0")
    assert clicks(page) <= 4
    require_accessible_everywhere(page, axe)


@SCRIPTS
def test_people_are_imported_from_a_file(
    service: RunningService, visits: Visits, axe: Callable[..., None], tmp_path: Path, scripts: bool
) -> None:
    page, company = open_list(service, visits, scripts=scripts)
    file = tmp_path / "people.csv"
    file.write_bytes("Email;Nome;Cognome;Scadenza\r\nzoe@x.example;Zoë;Però;31/12/2090\r\nbad;;;\r\n".encode("cp1252"))

    page.get_by_role("link", name="Import").click()
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Show preview").click()
    expect(page.get_by_role("row", name="Zoë Però")).to_contain_text("Will be added")
    if scripts:
        require_accessible_everywhere(page, axe)
    page.get_by_role("button", name="Add one person").click()

    expect(page.get_by_role("row", name="Zoë Però")).to_contain_text("Added")
    if scripts:
        require_accessible_everywhere(page, axe)
    listed = service.portal.call(200, "GET", f"{company.path}/sub-users?q=zoe").json()["items"]
    assert [item["name"] for item in listed] == ["Zoë"]


def require_accessible_everywhere(page: Page, axe: Callable[..., None]) -> None:
    """Require a page to be accessible in both themes, and on a phone."""
    axe(page)
    page.emulate_media(color_scheme="dark")
    axe(page, appearance_only=True)
    page.set_viewport_size(chromium.PHONE)  # type: ignore[arg-type]  # the library's own TypedDict
    require_no_horizontal_scrolling(page)
    axe(page, appearance_only=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(chromium.WIDE)  # type: ignore[arg-type]  # the library's own TypedDict
