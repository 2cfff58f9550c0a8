"""Console: the account page of the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.console.conftest import OWNER_PASSWORD, AccountConsole

if TYPE_CHECKING:
    from tests.console.browsing import Browser, Page

NEW_PASSWORD = "the owner prefers this one"


def set_password(browser: Browser, current: str, new: str) -> Page:
    return browser.submit(browser.get("/account/password"), current_password=current, new_password=new)


def test_account_page_shows_account_and_usage(console: AccountConsole) -> None:
    console.account.create_sub_user()
    page = console.owner().get("/account")

    for text in (
        console.account.email,
        "Winds & Waves",
        "1 of 10",
        "To change the company or the email, use the portal.",
    ):
        assert text in page.text
    assert page.find("header a[aria-current=page]").text == "Account"


def test_company_name_is_escaped(console: AccountConsole) -> None:
    console.account.portal.patch(console.account.path, json={"company_name": "<script>alert(1)</script>"})
    page = console.owner().get("/account")

    assert "<script>alert(1)</script>" in page.text
    assert "<script>alert" not in page.response.text


def test_owner_changes_the_account_language(console: AccountConsole) -> None:
    """The language applies to users who have chosen none, from the next page on."""
    browser = console.owner()
    page = browser.submit(browser.get("/account"), "/account", language="it")

    assert (page.path, page.success_message) == ("/account", "La lingua dell'account è stata cambiata.")
    account: Any = console.account.portal.get(console.account.path).json
    assert account["language"] == "it"
    row = console.account.audit_log_rows()[0]
    assert (row["action"], row["actor"]["type"]) == ("main_account.details_changed", "main_account")
    assert row["ip"] == "198.51.100.7"


@pytest.mark.parametrize("language", ["", "de", "\0", "x" * 10_000])
def test_unsupported_language_is_refused(console: AccountConsole, language: str) -> None:
    browser = console.owner()
    page = browser.submit(browser.get("/account"), "/account", language=language)

    assert page.status == 422
    assert page.error("language")
    account: Any = console.account.portal.get(console.account.path).json
    assert account["language"] == "en"


def test_owner_changes_the_password(console: AccountConsole) -> None:
    """All other sessions of the owner end."""
    browser, other_browser = console.owner(), console.owner()
    old_token = browser.cookie("session")
    page = set_password(browser, OWNER_PASSWORD, NEW_PASSWORD)

    assert (page.path, page.success_message) == (
        "/account",
        "Password changed. You've been logged out everywhere else.",
    )
    assert browser.cookie("session") != old_token
    assert other_browser.get("/account").path.startswith("/login?why=ended")
    assert console.browser().log_in(console.account.email, NEW_PASSWORD).path == "/sub-users"


@pytest.mark.parametrize(
    ("current", "new", "field", "message"),
    [
        ("", NEW_PASSWORD, "current_password", "Fill this in."),
        ("not what it is", NEW_PASSWORD, "current_password", "This is wrong."),
        (OWNER_PASSWORD, "too short", "new_password", "Enter 15 to 128 characters."),
        (OWNER_PASSWORD, OWNER_PASSWORD, "new_password", "Choose one that differs from the current password."),
        (
            OWNER_PASSWORD,
            "sailing winds & waves",
            "new_password",
            "Don't use the email address or the name.",
        ),
    ],
)
def test_invalid_new_owner_password_is_reported_at_its_field(
    console: AccountConsole, current: str, new: str, field: str, message: str
) -> None:
    """The old password stays valid."""
    page = set_password(console.owner(), current, new)

    assert (page.status, page.error(field)) == (422, message)
    assert console.owner().get("/account").status == 200


def test_account_without_password_cannot_set_one_in_the_console(console: AccountConsole) -> None:
    """The owner logs in with a link from the portal."""
    account = console.clients.register_account()
    link: Any = account.portal.post(f"{account.path}/console-links").json
    browser = console.browser()
    browser.submit(browser.get(link["url"].removeprefix("https://portal.example")))
    page = browser.get("/account/password")

    assert "This account has no password: you log in from the portal." in page.text
    assert not page.soup.select("input[type=password]")
    token = str(page.find("header [name=csrf]")["value"])
    form = {"csrf": token, "current_password": "anything at all", "new_password": NEW_PASSWORD}
    assert browser.post("/account/password", form).status == 422


def test_logging_out_everywhere_ends_all_sessions_of_the_owner(console: AccountConsole) -> None:
    """Sessions of sub-users stay open."""
    browser, other_browser, sub_user = console.owner(), console.owner(), console.sub_user()
    page = browser.submit(browser.get("/account"), "/account/sessions/end")

    assert (page.path, page.success_message) == ("/login", "You're logged out everywhere.")
    assert browser.cookie("session") is None
    assert other_browser.get("/account").path.startswith("/login?why=ended")
    assert sub_user.get("/profile").path == "/profile"
