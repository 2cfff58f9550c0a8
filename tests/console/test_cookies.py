"""What a visitor's browser keeps for us, and on which terms; what travels in it to the next page."""

from __future__ import annotations

from dataclasses import replace
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest

from api.console import notices
from api.console.cookies import SESSION, Cookie
from api.http.app import create_app
from tests.console.browsing import Browser
from tests.console.conftest import OWNERS_PASSWORD

if TYPE_CHECKING:
    from http.cookies import Morsel

    from tests.console.browsing import Page
    from tests.console.conftest import House

NOTICE = "__Host-subusers-notice"


def cookies_of(page: Page) -> dict[str, Morsel[str]]:
    """Return what the browser was told to keep or to forget, on the whole way to this page."""
    told: dict[str, Morsel[str]] = {}
    for response in (*page.response.history, page.response):
        for header in response.headers.getlist("Set-Cookie"):
            told |= SimpleCookie(header)
    return told


def test_cookies_are_for_this_host_over_tls_and_for_no_script(house: House) -> None:
    """Every one of them, whether it is set or dropped."""
    browser = house.browser()
    pages = [
        browser.get("/login"),
        browser.log_in(house.account.email, OWNERS_PASSWORD),
        browser.submit(browser.get("/preferences"), "/preferences", language="it", time_zone="UTC"),
        browser.submit(browser.get("/preferences"), "/preferences", language="", time_zone=""),
        browser.submit(browser.get("/account"), "/logout"),
    ]
    told = [cookie for page in pages for cookie in cookies_of(page).values()]

    names = {cookie.key.removeprefix("__Host-subusers-") for cookie in told}
    assert names == {"session", "form", "notice", "language", "time-zone"}
    for cookie in told:
        assert cookie.key.startswith("__Host-"), cookie
        assert cookie["secure"] is cookie["httponly"] is True, cookie
        assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", ""), cookie


def test_the_session_s_cookie_lasts_as_long_as_the_longest_session(house: House) -> None:
    """A day; no longer than the session itself."""
    browser = house.browser()
    page = browser.log_in(house.account.email, OWNERS_PASSWORD)

    assert cookies_of(page)["__Host-subusers-session"]["max-age"] == str(SESSION.seconds) == "86400"


def test_without_tls_cookies_have_another_name(house: House) -> None:
    """Browsers take no __Host- cookie over plain HTTP, as on one's own machine."""
    settings = replace(house.doors.service.settings, public_url="http://127.0.0.1:8000")
    app = create_app(replace(house.doors.service, settings=settings))
    with app.app_context():
        assert Cookie("word").name == "subusers-word"
    page = Browser(app).get("/login")
    cookie = cookies_of(page)["subusers-form"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == ("", True, "Lax")


def test_a_notice_is_told_once(house: House) -> None:
    """On the next page, whichever it is."""
    browser = house.owner()
    page = browser.submit(browser.get("/preferences"), "/preferences")
    assert page.notice == "Saved."
    assert browser.cookie("notice") is None
    assert browser.get("/preferences").notice == ""


@pytest.mark.parametrize("made_up", ["", "x", "é", "a.b.c", "WyJsb2dpbi5maXJzdCIse31d.aaaaaa.bbbbbb", "x" * 3000])
def test_a_made_up_notice_is_not_told(house: House, made_up: str) -> None:
    """It is not signed by us."""
    browser = house.browser()
    browser.set_cookie(NOTICE, made_up)
    page = browser.get("/login")

    assert (page.status, page.notice) == (200, "")
    assert not browser.cookie("notice")


def signed(house: House, key: str, **values: str) -> str:
    """Return the notice as we would sign it."""
    with house.doors.app.app_context():
        return str(notices._signer().dumps([key, values]))  # noqa: SLF001  # nothing but a command leaves one


def test_a_notice_s_values_are_text(house: House) -> None:
    """And so large that they still fit into a cookie: names of characters that take the most space."""
    browser = house.browser()
    name = "<b>" + "".join(chr(0x1F300 + number) for number in range(97))
    told = signed(house, "login.already_sub_user", name=f"{name} {name}", email="x" * 254, company="<i>")
    assert len(told) < 4000
    browser.set_cookie(NOTICE, told)
    page = browser.get("/login")

    assert name in page.notice
    assert "<b>" not in page.response.text


@pytest.mark.parametrize("key", ["no.such_text", "login.already_owner"])
def test_a_notice_that_can_no_longer_be_told_is_left_out(house: House, key: str) -> None:
    """As after an update that changed its text."""
    browser = house.browser()
    browser.set_cookie(NOTICE, signed(house, key))
    page = browser.get("/login")

    assert (page.status, page.notice) == (200, "")
