"""From an owner's first login to a sub-user who is deleted, through the pages alone, with scripts and without."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser.people import (
    NOTICE,
    add,
    choose_password,
    delete,
    edit,
    log_in,
    log_in_as_sub_user,
    password_mailed,
    switch,
)
from tests.browser.service import OWNERS

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.chromium import Visits
    from tests.browser.service import Shown

OWN = "seven quiet rivers meet"

WITH_SCRIPTS = pytest.param(True, id="with scripts")
WITHOUT_SCRIPTS = pytest.param(False, id="without scripts", marks=pytest.mark.long)


def h1(page: Page, text: str) -> None:
    """Require that this is the page's heading."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


@pytest.mark.parametrize("scripts", [WITH_SCRIPTS, WITHOUT_SCRIPTS])
def test_the_whole_story(service: Shown, visits: Visits, scripts: bool) -> None:
    """Added, activated, let in by the mail, refused what is not theirs, shut out at the next click, deleted."""
    owner, colleague = (visits.new(java_script_enabled=scripts) for _ in range(2))
    email = f"ada-{uuid4().hex[:8]}@company.example"
    person = f"Ada {uuid4().hex[:6].title()}"

    log_in(owner, service.email, service.password)
    add(owner, email, *person.split())
    switch(owner, person, active=True)

    temporary = password_mailed(colleague, email)
    log_in_as_sub_user(colleague, service.email, email, temporary)
    colleague.goto("/profile")
    choose_password(colleague, temporary, OWN)
    expect(colleague.locator("main")).to_contain_text(email)

    colleague.goto("/sub-users")
    h1(colleague, "Only for the main account")
    colleague.goto("/profile")
    expect(colleague.locator("main")).to_contain_text(email)

    switch(owner, person, active=False)
    colleague.get_by_role("link", name="Colleagues").click()
    h1(colleague, "Log in")
    expect(colleague.get_by_role("status")).to_have_text("Your session has ended. Log in again.")
    log_in_as_sub_user(colleague, service.email, email, OWN)
    expect(colleague.get_by_role("alert")).to_contain_text("That did not work")

    delete(owner, person)
    owner.get_by_role("button", name="Log out").click()
    h1(owner, "Log in")


@pytest.mark.long
@pytest.mark.parametrize("scripts", [WITH_SCRIPTS, WITHOUT_SCRIPTS])
def test_a_name_is_changed(service: Shown, visits: Visits, scripts: bool) -> None:
    """What was refused is said at its field, what was typed is kept, and the list then shows the new truth."""
    page = visits.new(java_script_enabled=scripts)
    company = service.company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNERS)
    edit(page, "Grace Hopper")
    page.get_by_label("Name", exact=True).fill("Amazing Grace")
    page.locator("input[name=password]").fill("short")
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator("#password-error")).to_have_text("Write 15 to 128 characters.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Amazing Grace")
    expect(page.locator("input[name=password]")).to_have_value("")
    page.get_by_role("button", name="SAVE").click()
    expect(page.get_by_role("row").filter(has_text="Amazing Grace Hopper")).to_have_count(1)


@pytest.mark.long
def test_going_back_in_the_list_after_the_session_has_ended(service: Shown, visits: Visits) -> None:
    """What was searched for before is shown again, to somebody logged in; anybody else is led to the login."""
    page = visits.new()
    company = service.company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNERS)
    for text in ("Grace", "Hopper"):
        page.get_by_role("searchbox").fill(text)
        page.wait_for_url(f"**q={text}*")
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("Grace")
    page.context.clear_cookies(name="subusers-session")
    page.go_back()
    h1(page, "Log in")


@pytest.mark.long
def test_an_export_after_the_session_has_ended_leads_to_the_login(service: Shown, visits: Visits) -> None:
    """It saves no page in place of the file."""
    page = visits.new()
    log_in(page, service.company().email, OWNERS)
    page.goto("/monitoring")
    page.context.clear_cookies(name="subusers-session")
    page.locator("a[href*='export.csv']").click()
    h1(page, "Log in")


@pytest.mark.long
def test_a_password_is_made_up_and_shown(service: Shown, visits: Visits) -> None:
    """By the button that only a script reveals; another hides it again, and it is good enough to be taken."""
    page = visits.new()
    company = service.company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNERS)
    edit(page, "Grace Hopper")
    field = page.locator("input[name=password]")
    page.get_by_role("button", name="Generate").click()
    expect(field).to_have_attribute("type", "text")
    assert len(field.input_value()) == 29
    page.get_by_role("button", name="Hide").click()
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator(NOTICE)).to_contain_text("Saved.")
