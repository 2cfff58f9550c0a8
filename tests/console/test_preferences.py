"""Language and time zone preferences of the console, stored in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.presentation import times
from tests.api.clients import TEMPORARY_PASSWORD

if TYPE_CHECKING:
    from tests.console.conftest import AccountConsole

LANGUAGE, TIME_ZONE = "__Host-subusers-language", "__Host-subusers-time-zone"
BROWSER_TIME_ZONE = "subusers-browser-time-zone"


def test_preferences_are_stored_in_the_browser(console: AccountConsole) -> None:
    """They apply before and after login."""
    browser = console.browser()
    page = browser.submit(browser.get("/preferences"), language="it", time_zone="Asia/Tokyo")

    assert (page.path, page.success_message) == ("/preferences", "Salvato.")
    assert page.find("html")["lang"] == "it"
    assert page.find("#time_zone option[selected]").text == "Asia/Tokyo"
    assert page.find("a[href='/preferences'] small").text == "Italiano · Asia/Tokyo"
    assert browser.log_in(console.account.email, "the owner keeps this one").find("html")["lang"] == "it"


def test_reset_preferences_fall_back_to_the_browser(console: AccountConsole) -> None:
    browser = console.browser()
    browser.submit(browser.get("/preferences"), language="it", time_zone="Asia/Tokyo")
    page = browser.submit(browser.get("/preferences"), language="", time_zone="")

    assert page.find("a[href='/preferences'] small").text == "English · UTC"
    assert browser.cookie("language") is browser.cookie("time-zone") is None


@pytest.mark.parametrize("value", ["de", "localtime", "../../etc/passwd", "\0", "x" * 10_000, "<b>"])
def test_invalid_preferences_are_ignored(console: AccountConsole, value: str) -> None:
    """The previous choice stays."""
    browser = console.browser()
    browser.submit(browser.get("/preferences"), language="it", time_zone="Asia/Tokyo")
    page = browser.submit(browser.get("/preferences"), language=value, time_zone=value)

    assert page.find("a[href='/preferences'] small").text == "Italiano · Asia/Tokyo"


@pytest.mark.parametrize(
    "value", ["", "xx", "../../etc/passwd", "/etc/passwd", "Factory", "é", "x" * 3000, "posixrules"]
)
def test_invalid_preference_cookies_are_ignored(console: AccountConsole, value: str) -> None:
    """The time zone reported by the script is used instead."""
    browser = console.owner()
    for name in (LANGUAGE, TIME_ZONE, BROWSER_TIME_ZONE):
        browser.set_cookie(name, value)
    page = browser.get("/account")
    assert (page.status, page.find("a[href='/preferences'] small").text) == (200, "English · UTC")

    browser.set_cookie(BROWSER_TIME_ZONE, "America/Bogota")
    assert browser.get("/account").find("a[href='/preferences'] small").text == "English · America/Bogota"


def test_accept_language_applies_before_login(console: AccountConsole) -> None:
    """After login, the language of the account takes precedence."""
    assert console.browser(language="it-IT,it;q=0.9").get("/login").find("html")["lang"] == "it"
    assert console.browser(language="de").get("/login").find("html")["lang"] == "en"
    assert console.owner(language="it").get("/account").find("html")["lang"] == "en"


def test_restricted_sub_user_can_choose_a_language(console: AccountConsole) -> None:
    browser = console.sub_user(console.account.create_active(), password=TEMPORARY_PASSWORD)
    page = browser.submit(browser.get("/preferences"), "/preferences", language="it")

    assert page.path == "/preferences"
    assert browser.get("/password").find("h1").text == "Scegli una password tua"


def test_offered_time_zones_exist() -> None:
    """UTC comes first."""
    names = times.time_zone_names()
    assert names[0] == "UTC"
    assert {"Europe/Rome", "America/New_York", "Asia/Kolkata"} < set(names)
    assert all(times.time_zone(name).key == name for name in names)
