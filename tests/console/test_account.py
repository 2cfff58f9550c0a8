"""What an owner sees and changes of the account itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.console.conftest import OWNERS_PASSWORD, House

if TYPE_CHECKING:
    from tests.console.browsing import Browser, Page

ANOTHER = "the owner prefers this one"


def set_password(browser: Browser, current: str, new: str) -> Page:
    return browser.submit(browser.get("/account/password"), current_password=current, new_password=new)


def test_the_page_shows_the_account(house: House) -> None:
    """How many sub-users of how many there are, and that the portal changes the rest."""
    house.account.let_in()
    page = house.owner().get("/account")

    for told in (house.account.email, "Winds & Waves", "1 of 10", "Company and email are changed on the portal."):
        assert told in page.text
    assert page.find("header a[aria-current=page]").text == "Account"


def test_the_company_s_name_is_shown_as_text(house: House) -> None:
    """Whatever is in it."""
    house.account.portal.patch(house.account.path, json={"company_name": "<script>alert(1)</script>"})
    page = house.owner().get("/account")

    assert "<script>alert(1)</script>" in page.text
    assert "<script>alert" not in page.response.text


def test_the_language_is_changed(house: House) -> None:
    """For everybody who has chosen none; the next page speaks it already."""
    browser = house.owner()
    page = browser.submit(browser.get("/account"), "/account", language="it")

    assert (page.path, page.notice) == ("/account", "La lingua dell'account è stata cambiata.")
    shown: Any = house.account.portal.get(house.account.path).json
    assert shown["language"] == "it"
    row = house.account.rows()[0]
    assert (row["action"], row["actor"]["type"]) == ("main_account.details_changed", "main_account")
    assert row["ip"] == "198.51.100.7"


@pytest.mark.parametrize("language", ["", "de", "\0", "x" * 10_000])
def test_a_language_that_we_do_not_speak_is_refused(house: House, language: str) -> None:
    """And nothing changes."""
    browser = house.owner()
    page = browser.submit(browser.get("/account"), "/account", language=language)

    assert page.status == 422
    assert page.error("language")
    shown: Any = house.account.portal.get(house.account.path).json
    assert shown["language"] == "en"


def test_the_password_is_changed(house: House) -> None:
    """With the current one; every other session of the owner's ends."""
    browser, elsewhere = house.owner(), house.owner()
    before = browser.cookie("session")
    page = set_password(browser, OWNERS_PASSWORD, ANOTHER)

    assert (page.path, page.notice) == (
        "/account",
        "Your password is set. You have been logged out everywhere else.",
    )
    assert browser.cookie("session") != before
    assert elsewhere.get("/account").path.startswith("/login?why=ended")
    assert house.browser().log_in(house.account.email, ANOTHER).path == "/sub-users"


@pytest.mark.parametrize(
    ("current", "new", "field", "told"),
    [
        ("", ANOTHER, "current_password", "Fill this in."),
        ("not what it is", ANOTHER, "current_password", "This is wrong."),
        (OWNERS_PASSWORD, "too short", "new_password", "Write 15 to 128 characters."),
        (OWNERS_PASSWORD, OWNERS_PASSWORD, "new_password", "Choose one that differs from the current password."),
        (
            OWNERS_PASSWORD,
            "sailing winds & waves",
            "new_password",
            "It must not contain the email address or the name.",
        ),
    ],
)
def test_a_bad_password_is_refused_at_its_field(house: House, current: str, new: str, field: str, told: str) -> None:
    """And the old one stays."""
    page = set_password(house.owner(), current, new)

    assert (page.status, page.error(field)) == (422, told)
    assert house.owner().get("/account").status == 200


def test_an_account_without_a_password_is_told_where_one_comes_from(house: House) -> None:
    """Its owner came by a link."""
    account = house.doors.account()
    link: Any = account.portal.post(f"{account.path}/console-links").json
    browser = house.browser()
    browser.submit(browser.get(link["url"].removeprefix("https://portal.example")))
    page = browser.get("/account/password")

    assert "This account has no password: you come in from the portal." in page.text
    assert not page.soup.select("input[type=password]")
    token = str(page.find("header [name=csrf]")["value"])
    form = {"csrf": token, "current_password": "anything at all", "new_password": ANOTHER}
    assert browser.post("/account/password", form).status == 422


def test_logging_out_everywhere_ends_every_session_of_the_owner_s(house: House) -> None:
    """And no sub-user's."""
    browser, elsewhere, sub_user = house.owner(), house.owner(), house.sub_user()
    page = browser.get("/account")
    assert len(page.soup.select("tbody tr")) == 2
    page = browser.submit(page, "/account/sessions/end")

    assert (page.path, page.notice) == ("/login", "You are logged out everywhere.")
    assert browser.cookie("session") is None
    assert elsewhere.get("/account").path.startswith("/login?why=ended")
    assert sub_user.get("/profile").path == "/profile"
