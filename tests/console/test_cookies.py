"""Cookies of the console: attributes, names, and signed flash messages."""

from __future__ import annotations

from dataclasses import replace
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest

from api.console import flash
from api.console.cookies import SESSION, Cookie
from api.flask_application import create_app
from tests.console.browsing import Browser
from tests.console.conftest import OWNER_PASSWORD

if TYPE_CHECKING:
    from http.cookies import Morsel

    from tests.console.browsing import Page
    from tests.console.conftest import AccountConsole

NOTICE = "__Host-subusers-notice"


def cookies_of(page: Page) -> dict[str, Morsel[str]]:
    """Return the cookies that the page and the redirects to it set or delete."""
    cookies: dict[str, Morsel[str]] = {}
    for response in (*page.response.history, page.response):
        for header in response.headers.getlist("Set-Cookie"):
            cookies |= SimpleCookie(header)
    return cookies


def test_all_cookies_are_host_only_secure_and_http_only(console: AccountConsole) -> None:
    """This holds when they are set and when they are deleted."""
    browser = console.browser()
    pages = [
        browser.get("/login"),
        browser.log_in(console.account.email, OWNER_PASSWORD),
        browser.submit(browser.get("/preferences"), "/preferences", language="it", time_zone="UTC"),
        browser.submit(browser.get("/preferences"), "/preferences", language="", time_zone=""),
        browser.submit(browser.get("/account"), "/logout"),
    ]
    cookies = [cookie for page in pages for cookie in cookies_of(page).values()]

    names = {cookie.key.removeprefix("__Host-subusers-") for cookie in cookies}
    assert names == {"session", "device", "form", "notice", "language", "time-zone", "theme"}
    for cookie in cookies:
        assert cookie.key.startswith("__Host-"), cookie
        assert cookie["secure"] is cookie["httponly"] is True, cookie
        assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", ""), cookie


def test_session_cookie_lasts_a_day_like_the_longest_session(console: AccountConsole) -> None:
    browser = console.browser()
    page = browser.log_in(console.account.email, OWNER_PASSWORD)

    assert cookies_of(page)["__Host-subusers-session"]["max-age"] == str(SESSION.max_age_seconds) == "86400"


def test_cookies_without_tls_have_no_host_prefix(console: AccountConsole) -> None:
    """Browsers reject `__Host-` cookies over plain HTTP."""
    settings = replace(console.clients.service.settings, public_url="http://127.0.0.1:8000")
    app = create_app(replace(console.clients.service, settings=settings))
    with app.app_context():
        assert Cookie("word").name == "subusers-word"
    page = Browser(app).get("/login")
    cookie = cookies_of(page)["subusers-form"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == ("", True, "Lax")


def test_flash_message_appears_on_the_next_page_only(console: AccountConsole) -> None:
    browser = console.owner()
    page = browser.submit(browser.get("/preferences"), "/preferences")
    assert page.success_message == "Saved."
    assert browser.cookie("notice") is None
    assert browser.get("/preferences").success_message == ""


@pytest.mark.parametrize("value", ["", "x", "é", "a.b.c", "WyJsb2dpbi5maXJzdCIse31d.aaaaaa.bbbbbb", "x" * 3000])
def test_notice_without_valid_signature_is_ignored(console: AccountConsole, value: str) -> None:
    browser = console.browser()
    browser.set_cookie(NOTICE, value)
    page = browser.get("/login")

    assert (page.status, page.success_message) == (200, "")
    assert not browser.cookie("notice")


def signed_notice(console: AccountConsole, key: str, **values: str) -> str:
    """Return a notice signed by the service."""
    with console.clients.app.app_context():
        return str(flash._signer().dumps([key, values, True, None]))  # noqa: SLF001  # only commands create notices


def test_notice_values_are_escaped_and_fit_into_a_cookie(console: AccountConsole) -> None:
    """The names consist of characters that take the most space."""
    browser = console.browser()
    name = "<b>" + "".join(chr(0x1F300 + number) for number in range(97))
    value = signed_notice(console, "login.already_sub_user", name=f"{name} {name}", email="x" * 254, company="<i>")
    assert len(value) < 4000
    browser.set_cookie(NOTICE, value)
    page = browser.get("/login")

    assert name in page.success_message
    assert "<b>" not in page.response.text


@pytest.mark.parametrize("key", ["no.such_text", "login.already_owner"])
def test_notice_with_an_unknown_text_is_ignored(console: AccountConsole, key: str) -> None:
    """An update may have removed the text or changed its values."""
    browser = console.browser()
    browser.set_cookie(NOTICE, signed_notice(console, key))
    page = browser.get("/login")

    assert (page.status, page.success_message) == (200, "")
