"""What an owner and a sub-user do in their browsers, as they would do it: by what is written there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page


NOTICE = "main > .notice.done"
A_PASSWORD = re.compile(r"[a-z2-9]{5}(?:-[a-z2-9]{5}){4}")
"""As the service makes them."""


def log_in(page: Page, email: str, password: str) -> None:
    """Log in as an account's owner."""
    page.goto("/login")
    page.get_by_label("Main account email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="LOG IN").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sub-User Management")


def log_in_as_sub_user(page: Page, account_email: str, email: str, password: str) -> None:
    """Log in as a sub-user, by the tab that is for them."""
    page.goto("/login")
    page.get_by_role("link", name="SUB-USER").click()
    page.get_by_label("Main account email").fill(account_email)
    page.get_by_label("Sub-user email").fill(email)
    page.get_by_label("Sub-user password").fill(password)
    page.get_by_role("button", name="LOGIN AS SUB-USER").click()


def add(page: Page, email: str, name: str, surname: str) -> None:
    """Add a sub-user, inactive as yet, with a password made up by the service."""
    page.goto("/sub-users")
    page.get_by_role("button", name="+ ADD SUB-USER").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Surname").fill(surname)
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator(NOTICE)).to_contain_text("Added.")


def edit(page: Page, person: str) -> None:
    """Open the form with which somebody is edited."""
    page.goto("/sub-users")
    page.get_by_role("link", name=f"Edit {person}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Edit {person}")


def switch(page: Page, person: str, *, active: bool) -> None:
    """Activate or deactivate somebody."""
    edit(page, person)
    page.get_by_role("switch", name="Active").set_checked(active)
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator(NOTICE)).to_contain_text("Activated." if active else "Deactivated.")


def delete(page: Page, person: str) -> None:
    """Delete somebody, and say so when asked."""
    page.goto("/sub-users")
    page.get_by_role("link", name=f"Delete {person}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Delete {person}?")
    page.get_by_role("button", name="DELETE FOR EVER").click()
    expect(page.locator(NOTICE)).to_contain_text("Deleted.")
    expect(page.get_by_role("link", name=f"Edit {person}")).to_have_count(0)


def password_mailed(page: Page, to: str) -> str:
    """Return the password that the newest mail to somebody tells, read in the mailbox, once it is there."""
    row = page.get_by_role("row").filter(has_text=to)
    page.goto("/mailbox")
    while row.count() == 0:
        page.reload()
    row.first.get_by_role("link").click()
    mail = page.frame_locator("iframe").locator("body")
    expect(mail).to_contain_text(to)
    told = A_PASSWORD.search(mail.inner_text())
    assert told, mail.inner_text()
    return told[0]


def choose_password(page: Page, temporary: str, own: str) -> None:
    """Do what the first login demands: set a password of one's own."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose a password of your own")
    page.locator("input[name=current_password]").fill(temporary)
    page.locator("input[name=new_password]").fill(own)
    page.locator("main form").get_by_role("button", name="SET PASSWORD").click()
