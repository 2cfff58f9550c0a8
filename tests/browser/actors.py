"""Actions of owners and sub-users in the browser, through visible labels and buttons."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page


SUCCESS_MESSAGE = "#messages > .notice"
"""Selector of the message that the last command succeeded."""

GENERATED_PASSWORD = re.compile(r"[a-z2-9]{5}(?:-[a-z2-9]{5}){4}")
"""Format of the passwords that the service generates."""


LINK = re.compile(r"/(?:password-reset|invitation|email-confirmation|email-undo)/[\w-]+")
"""Path of a mailed link that is good once."""


def log_in(page: Page, email: str, password: str) -> None:
    """Log in as an account's owner."""
    page.goto("/login")
    page.get_by_label("Main account email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="LOG IN", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sub-User Management")


def log_in_as_sub_user(page: Page, account_email: str, email: str, password: str) -> None:
    """Log in as a sub-user, through the sub-user tab."""
    page.goto("/login")
    page.get_by_role("link", name="SUB-USER").click()
    page.get_by_label("Main account email").fill(account_email)
    page.get_by_label("Sub-user email").fill(email)
    page.get_by_label("Sub-user password").fill(password)
    page.get_by_role("button", name="LOGIN AS SUB-USER").click()


def log_out(page: Page) -> None:
    """Log out with the button in the visitor's menu."""
    page.get_by_label("Your menu").click()
    page.locator("header").get_by_role("button", name="Log out").click()


def add(page: Page, email: str, name: str, surname: str) -> None:
    """Add an inactive sub-user with a generated password."""
    page.goto("/sub-users")
    page.get_by_role("link", name="+ ADD SUB-USER").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Surname").fill(surname)
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text("added.")


def open_edit_form(page: Page, person: str) -> None:
    """Open the edit form of a sub-user."""
    page.goto("/sub-users")
    page.get_by_role("link", name=f"Edit {person}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Edit {person}")


def set_active(page: Page, person: str, *, active: bool) -> None:
    """Activate or deactivate a sub-user."""
    open_edit_form(page, person)
    page.get_by_role("switch", name="Active").set_checked(active)
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text("Activated." if active else "Deactivated.")


def delete(page: Page, person: str) -> None:
    """Delete a sub-user and confirm."""
    page.goto("/sub-users")
    page.get_by_role("link", name=f"Delete {person}").click()
    expect(page.get_by_role("heading", name=f"Delete {person}?")).to_be_visible()
    page.get_by_role("button", name="Delete permanently").click()
    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text("Deleted.")
    expect(page.get_by_role("link", name=f"Edit {person}")).to_have_count(0)


def mailed_password(page: Page, email: str, mailbox_link: str) -> str:
    """Wait for the newest mail to the address in the mailbox and return its password."""
    match = GENERATED_PASSWORD.search(_newest_mail(page, email, mailbox_link, GENERATED_PASSWORD))
    assert match
    return match[0]


def mailed_link(page: Page, email: str, mailbox_link: str, subject: str) -> str:
    """Wait for a mail to the address with a subject in the mailbox, and return the link in it that is good once."""
    match = LINK.search(_newest_mail(page, email, mailbox_link, LINK, subject))
    assert match
    return match[0]


def _newest_mail(page: Page, email: str, mailbox_link: str, content: re.Pattern[str], subject: str = "") -> str:
    """Wait for the newest mail to the address in the mailbox, which has this content, and return its text."""
    is_to_address = re.compile(rf"(?<![\w-]){re.escape(email)}")
    row = page.get_by_role("row").filter(has_text=is_to_address).filter(has_text=subject)
    page.goto(mailbox_link)
    while row.count() == 0:
        page.reload()
    row.first.get_by_role("link").click()
    mail = page.frame_locator("iframe").locator("body")
    expect(mail).to_contain_text(content)
    return mail.inner_text()


def choose_password(page: Page, temporary: str, own: str) -> None:
    """Choose the sub-user's own password after the first login."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose your own password")
    page.locator("input[name=current_password]").fill(temporary)
    page.locator("input[name=new_password]").fill(own)
    page.locator("main form").get_by_role("button", name="SET PASSWORD").click()


def set_password(page: Page, password: str) -> None:
    """Set a password on the page of a mailed link."""
    page.locator("input[name=new_password]").fill(password)
    page.locator("main form").get_by_role("button", name="SET PASSWORD").click()


def create_role(page: Page, name: str, permission: str, *, scripts: bool) -> None:
    """Create a role with one permission, and read in words what it allows before saving it."""
    page.get_by_role("link", name="Roles").click()
    page.get_by_role("link", name="+ ADD ROLE").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label(permission).check()
    if not scripts:
        page.get_by_role("button", name="Show in words").click()
    expect(page.locator("#words")).to_have_text(f"People with this role can: {permission[0].lower()}{permission[1:]}.")
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text(f"Role {name} added.")


def give_role_on_assistant(page: Page, person: str, role: str, assistant_id: str, label: str, until: str) -> None:
    """Give a sub-user a role on one assistant until a time, instead of all other roles."""
    page.goto("/sub-users")
    page.get_by_role("link", name=person, exact=True).click()
    page.get_by_role("link", name="Give a role").click()
    page.get_by_label("Role", exact=True).select_option(role)
    page.get_by_label("Only these").check()
    page.get_by_label("Type of resource").select_option("Assistant")
    page.get_by_label("ID 1").fill(assistant_id)
    page.get_by_label("Name 1").fill(label)
    page.get_by_label("Until").fill(until)
    page.get_by_label("Take away all other roles").check()
    page.get_by_role("button", name="GIVE ROLE").click()
    expect(page.locator(SUCCESS_MESSAGE)).to_contain_text(f"{person} has only the role {role} now.")
