"""Story of a sub-user in the browser, from creation to deletion, and single steps, with and without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser.actors import (
    GENERATED_PASSWORD,
    SUCCESS_MESSAGE,
    add,
    choose_password,
    create_role,
    delete,
    give_role_on_assistant,
    log_in,
    log_in_as_sub_user,
    log_out,
    mailed_link,
    mailed_password,
    open_edit_form,
    set_active,
    set_password,
)
from tests.browser.service import OWNER_PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.chromium import Visits
    from tests.browser.service import RunningService

OWN_PASSWORD = "seven quiet rivers meet"

WITH_SCRIPTS = pytest.param(True, id="with scripts")
WITHOUT_SCRIPTS = pytest.param(False, id="without scripts", marks=pytest.mark.long)


def require_heading(page: Page, text: str) -> None:
    """Require the text of the page's main heading."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


@pytest.mark.parametrize("scripts", [WITH_SCRIPTS, WITHOUT_SCRIPTS])
def test_story_of_a_sub_user(service: RunningService, visits: Visits, scripts: bool) -> None:
    """They are added, activated, logged in with the mailed password, refused an owner's page, deactivated, deleted."""
    owner, sub_user = (visits.new_page(java_script_enabled=scripts) for _ in range(2))
    email = f"ada-{uuid4().hex[:8]}@company.example"
    person = f"Ada {uuid4().hex[:6].title()}"

    log_in(owner, service.email, service.password)
    add(owner, email, *person.split())
    set_active(owner, person, active=True)

    temporary = mailed_password(sub_user, email, service.mailbox_link)
    log_in_as_sub_user(sub_user, service.email, email, temporary)
    sub_user.goto("/profile")
    choose_password(sub_user, temporary, OWN_PASSWORD)
    expect(sub_user.locator("main")).to_contain_text(email)

    sub_user.goto("/sub-users")
    require_heading(sub_user, "Only for the main account")
    sub_user.goto("/profile")
    expect(sub_user.locator("main")).to_contain_text(email)

    set_active(owner, person, active=False)
    sub_user.get_by_role("link", name="Colleagues").click()
    require_heading(sub_user, "Log in")
    expect(sub_user.get_by_role("status")).to_have_text("Your session has ended. Log in again.")
    log_in_as_sub_user(sub_user, service.email, email, OWN_PASSWORD)
    expect(sub_user.get_by_role("alert")).to_contain_text("We couldn't log you in")

    delete(owner, person)
    log_out(owner)
    require_heading(owner, "Log in")


@pytest.mark.long
@pytest.mark.parametrize("scripts", [WITH_SCRIPTS, WITHOUT_SCRIPTS])
def test_email_of_the_account_changes_and_is_restored(service: RunningService, visits: Visits, scripts: bool) -> None:
    """The new address confirms it, a sub-user logs in with it, and the owner restores the former one on a phone."""
    owner, sub_user = (visits.new_page(java_script_enabled=scripts) for _ in range(2))
    phone = visits.new_page(java_script_enabled=scripts, phone=True)
    company = service.register_company()
    ada = company.add_with_own_password(name="Ada", surname="Lovelace")
    email = f"new-{company.email}"
    service.portal.call(200, "PATCH", company.path, {"email": email})

    owner.goto(mailed_link(owner, email, service.mailbox_link, "Confirm your email address"))
    require_heading(owner, "Confirm your email address")
    owner.get_by_role("button", name="CONFIRM THE ADDRESS").click()
    expect(owner.locator(SUCCESS_MESSAGE)).to_contain_text("is confirmed")
    log_in(owner, email, OWNER_PASSWORD)
    log_in_as_sub_user(sub_user, email, ada.email, ada.password)
    require_heading(sub_user, "Ada Lovelace")

    phone.goto(mailed_link(phone, company.email, service.mailbox_link, "has been changed"))
    require_heading(phone, "Restore your email address")
    phone.get_by_role("button", name="RESTORE THE ADDRESS").click()
    expect(phone.locator(SUCCESS_MESSAGE)).to_contain_text("is restored")
    owner.reload()
    require_heading(owner, "Log in")
    log_in(phone, company.email, OWNER_PASSWORD)


@pytest.mark.long
@pytest.mark.parametrize("scripts", [WITH_SCRIPTS, WITHOUT_SCRIPTS])
def test_session_ends_on_another_device(service: RunningService, visits: Visits, scripts: bool) -> None:
    """A sub-user logs out their lost laptop from their phone; the owner then logs out the phone."""
    laptop, owner = (visits.new_page(java_script_enabled=scripts) for _ in range(2))
    phone = visits.new_page(java_script_enabled=scripts, phone=True)
    company = service.register_company()
    ada = company.add_with_own_password(name="Ada", surname="Lovelace")
    for device in (laptop, phone):
        log_in_as_sub_user(device, company.email, ada.email, ada.password)
        require_heading(device, "Ada Lovelace")

    phone.get_by_role("link", name="Your devices").click()
    require_heading(phone, "Your devices")
    rows = phone.locator(".table-cards tbody tr")
    expect(rows.filter(has_text="this device")).to_have_count(1)
    laptops_row = rows.filter(has_text="Chrome").filter(has_not_text="this device").first
    laptops_row.get_by_role("button", name="Log out").click()
    expect(phone.locator(SUCCESS_MESSAGE)).to_have_text("That device is logged out.")
    laptop.reload()
    require_heading(laptop, "Log in")
    expect(laptop.get_by_role("status")).to_have_text("Your session has ended. Log in again.")
    phone.reload()
    require_heading(phone, "Your devices")

    log_in(owner, company.email, OWNER_PASSWORD)
    owner.get_by_role("link", name="Ada Lovelace", exact=True).click()
    phones_row = owner.locator(".table-cards tbody tr").filter(has_text="Chrome")
    phones_row.first.get_by_role("button", name="Log out").click()
    expect(owner.locator(SUCCESS_MESSAGE)).to_have_text("That device is logged out.")
    phone.reload()
    require_heading(phone, "Log in")


@pytest.mark.long
@pytest.mark.parametrize("scripts", [WITH_SCRIPTS, WITHOUT_SCRIPTS])
def test_invitation_from_the_mail_to_the_login(service: RunningService, visits: Visits, scripts: bool) -> None:
    """The owner sends a link instead of a password. It works once."""
    owner, person = (visits.new_page(java_script_enabled=scripts) for _ in range(2))
    company = service.register_company()
    email = f"ada-{uuid4().hex[:8]}@company.example"
    log_in(owner, company.email, OWNER_PASSWORD)
    add(owner, email, "Ada", "Lovelace")
    open_edit_form(owner, "Ada Lovelace")
    owner.get_by_role("switch", name="Active").check()
    owner.get_by_label("Send a link instead of a password").check()
    owner.get_by_role("button", name="SAVE").click()
    expect(owner.locator(SUCCESS_MESSAGE)).to_contain_text("Activated.")

    link = mailed_link(person, email, service.mailbox_link, "Your invitation")
    person.goto(link)
    require_heading(person, "Choose your password")
    set_password(person, "short")
    expect(person.locator("#new_password-error")).to_have_text("Enter 15 to 128 characters.")
    set_password(person, OWN_PASSWORD)
    require_heading(person, "Log in")
    expect(person.locator(SUCCESS_MESSAGE)).to_have_text("Your password is set. Log in with it.")
    log_in_as_sub_user(person, company.email, email, OWN_PASSWORD)
    require_heading(person, "Ada Lovelace")

    log_out(person)
    person.goto(link)
    set_password(person, "another seven quiet rivers")
    require_heading(person, "This link no longer works")
    owner.get_by_role("link", name="Ada Lovelace", exact=True).click()
    expect(owner.locator("main")).to_contain_text("activated Ada Lovelace and invited them to choose a password")


@pytest.mark.long
@pytest.mark.parametrize("scripts", [WITH_SCRIPTS, WITHOUT_SCRIPTS])
def test_sub_user_forgets_their_password(service: RunningService, visits: Visits, scripts: bool) -> None:
    page = visits.new_page(java_script_enabled=scripts, phone=True)
    company = service.register_company()
    ada = company.add_with_own_password(name="Ada", surname="Lovelace")
    page.goto("/login")
    page.get_by_role("link", name="SUB-USER").click()
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Main account email").fill(company.email)
    page.get_by_label("Sub-user email").fill(ada.email)
    page.get_by_role("button", name="SEND THE LINK").click()
    require_heading(page, "Check your email")
    page.goto(mailed_link(page, ada.email, service.mailbox_link, "Reset your password"))
    require_heading(page, "Choose a new password")
    set_password(page, "eight quiet rivers meet")
    log_in_as_sub_user(page, company.email, ada.email, "eight quiet rivers meet")
    require_heading(page, "Ada Lovelace")


@pytest.mark.long
@pytest.mark.parametrize("scripts", [WITH_SCRIPTS, WITHOUT_SCRIPTS])
def test_owner_forgets_their_password(service: RunningService, visits: Visits, scripts: bool) -> None:
    page = visits.new_page(java_script_enabled=scripts)
    company = service.register_company()
    page.goto("/login")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Main account email").fill(company.email)
    page.get_by_role("button", name="SEND THE LINK").click()
    require_heading(page, "Check your email")
    page.goto(mailed_link(page, company.email, service.mailbox_link, "Reset your password"))
    set_password(page, "eight slow barges pass")
    require_heading(page, "Log in")
    log_in(page, company.email, "eight slow barges pass")


@pytest.mark.long
@pytest.mark.parametrize("scripts", [WITH_SCRIPTS, WITHOUT_SCRIPTS])
def test_role_on_one_assistant_until_a_date(service: RunningService, visits: Visits, scripts: bool) -> None:
    """The owner creates a role, gives it instead of the default one, and takes it away. The sub-user sees each step."""
    owner, sub_user = (visits.new_page(java_script_enabled=scripts) for _ in range(2))
    company = service.register_company()
    ada = company.add_with_own_password(name="Ada", surname="Lovelace")
    log_in_as_sub_user(sub_user, company.email, ada.email, ada.password)
    expect(sub_user.locator("main")).to_contain_text("See statistics")

    log_in(owner, company.email, OWNER_PASSWORD)
    create_role(owner, "Account manager", "Work with voice assistants", scripts=scripts)
    give_role_on_assistant(owner, "Ada Lovelace", "Account manager", "asst-1041", "Front desk", "2099-01-31T18:00")
    expect(owner.locator(".grants")).to_contain_text("Assistant Front desk asst-1041 until 31 Jan 2099, 18:00")
    expect(owner.locator(".abilities")).to_contain_text("Work with voice assistants")

    sub_user.reload()
    expect(sub_user.locator(".grants")).to_contain_text("Account manager Assistant Front desk asst-1041 until 31 Jan")
    expect(sub_user.locator(".abilities")).to_contain_text("Work with voice assistants")
    expect(sub_user.locator("main")).not_to_contain_text("See statistics")

    owner.get_by_role("link", name="Take away the role Account manager").click()
    owner.get_by_role("button", name="Take away").click()
    expect(owner.locator(SUCCESS_MESSAGE)).to_contain_text("no longer has this role")
    sub_user.reload()
    expect(sub_user.locator("main")).to_contain_text("You have no role.")


@pytest.mark.long
def test_fields_for_resources_are_hidden_for_everything(service: RunningService, visits: Visits) -> None:
    """Unless they have an error."""
    page = visits.new_page()
    company = service.register_company()
    ada = company.add(name="Ada", surname="Lovelace")
    log_in(page, company.email, OWNER_PASSWORD)
    page.goto(f"/sub-users/{ada.sub_user_id}/roles/new")
    page.get_by_label("Role", exact=True).select_option("Viewer")
    page.get_by_label("ID 1").fill("asst-1041")
    page.get_by_label("Everything").check()
    expect(page.get_by_label("ID 1")).to_be_hidden()
    expect(page.get_by_role("button", name="More lines")).to_be_hidden()
    page.get_by_role("button", name="GIVE ROLE").click()
    expect(page.locator("#scope-error")).to_contain_text("You've entered resources.")
    expect(page.get_by_label("ID 1")).to_have_value("asst-1041")


@pytest.mark.long
@pytest.mark.parametrize("scripts", [WITH_SCRIPTS, WITHOUT_SCRIPTS])
def test_edit_form_reports_an_error_and_then_saves(service: RunningService, visits: Visits, scripts: bool) -> None:
    """The refused form keeps the other values."""
    page = visits.new_page(java_script_enabled=scripts)
    company = service.register_company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNER_PASSWORD)
    open_edit_form(page, "Grace Hopper")
    page.get_by_label("Name", exact=True).fill("Amazing Grace")
    page.locator("input[name=password]").fill("short")
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator("#password-error")).to_have_text("Enter 15 to 128 characters.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Amazing Grace")
    expect(page.locator("input[name=password]")).to_have_value("")
    page.get_by_role("button", name="SAVE").click()
    expect(page.get_by_role("row").filter(has_text="Amazing Grace Hopper")).to_have_count(1)


@pytest.mark.long
def test_history_of_searches_requires_a_session(service: RunningService, visits: Visits) -> None:
    """Going back shows the earlier search; after the session has ended, it shows the login."""
    page = visits.new_page()
    company = service.register_company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNER_PASSWORD)
    for text in ("Grace", "Hopper"):
        page.get_by_role("searchbox").fill(text)
        page.wait_for_url(f"**q={text}*")
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("Grace")
    page.context.clear_cookies(name="subusers-session")
    page.go_back()
    require_heading(page, "Log in")


@pytest.mark.long
def test_export_after_the_session_ended_leads_to_the_login(service: RunningService, visits: Visits) -> None:
    """The browser must not save a page instead of the file."""
    page = visits.new_page()
    log_in(page, service.register_company().email, OWNER_PASSWORD)
    page.goto("/monitoring")
    page.get_by_text("Export", exact=True).click()
    page.context.clear_cookies(name="subusers-session")
    page.locator("a[href*='export.csv']").click()
    require_heading(page, "Log in")


@pytest.mark.long
def test_password_is_generated_and_can_be_hidden(service: RunningService, visits: Visits) -> None:
    """The button needs scripts. The generated password is accepted."""
    page = visits.new_page()
    company = service.register_company()
    company.add(name="Grace", surname="Hopper")
    log_in(page, company.email, OWNER_PASSWORD)
    open_edit_form(page, "Grace Hopper")
    field = page.locator("input[name=password]")
    page.get_by_role("button", name="Generate").click()
    expect(field).to_have_attribute("type", "text")
    assert GENERATED_PASSWORD.fullmatch(field.input_value())
    page.get_by_role("button", name="Hide").click()
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text("Saved.")
