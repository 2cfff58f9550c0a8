"""The language and the time zone that a visitor chooses for this browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.console import times
from tests.api.callers import TEMPORARY

if TYPE_CHECKING:
    from tests.console.conftest import House

LANGUAGE, TIME_ZONE = "__Host-subusers-language", "__Host-subusers-time-zone"
OF_BROWSER = "subusers-browser-time-zone"


def test_choices_are_kept_in_the_browser(house: House) -> None:
    """Before the login and after it, for whoever uses it."""
    browser = house.browser()
    page = browser.submit(browser.get("/preferences"), language="it", time_zone="Asia/Tokyo")

    assert (page.path, page.notice) == ("/preferences", "Salvato.")
    assert page.find("html")["lang"] == "it"
    assert page.find("#time_zone option[selected]").text == "Asia/Tokyo"
    assert page.find("footer a").text == "Italiano · Asia/Tokyo"
    assert browser.log_in(house.account.email, "the owner keeps this one").find("html")["lang"] == "it"


def test_a_choice_is_taken_back(house: House) -> None:
    """The browser's own preferences hold again."""
    browser = house.browser()
    browser.submit(browser.get("/preferences"), language="it", time_zone="Asia/Tokyo")
    page = browser.submit(browser.get("/preferences"), language="", time_zone="")

    assert page.find("footer a").text == "English · UTC"
    assert browser.cookie("language") is browser.cookie("time-zone") is None


@pytest.mark.parametrize("chosen", ["de", "localtime", "../../etc/passwd", "\0", "x" * 10_000, "<b>"])
def test_what_cannot_be_chosen_changes_nothing(house: House, chosen: str) -> None:
    """The earlier choice holds."""
    browser = house.browser()
    browser.submit(browser.get("/preferences"), language="it", time_zone="Asia/Tokyo")
    page = browser.submit(browser.get("/preferences"), language=chosen, time_zone=chosen)

    assert page.find("footer a").text == "Italiano · Asia/Tokyo"


@pytest.mark.parametrize("bad", ["", "xx", "../../etc/passwd", "/etc/passwd", "Factory", "é", "x" * 3000, "posixrules"])
def test_a_bad_cookie_does_no_harm(house: House, bad: str) -> None:
    """It is as if there were none; the time zone that a script told is next."""
    browser = house.owner()
    for name in (LANGUAGE, TIME_ZONE, OF_BROWSER):
        browser.set_cookie(name, bad)
    page = browser.get("/account")
    assert (page.status, page.find("footer a").text) == (200, "English · UTC")

    browser.set_cookie(OF_BROWSER, "America/Bogota")
    assert browser.get("/account").find("footer a").text == "English · America/Bogota"


def test_a_browser_asks_for_a_language_too(house: House) -> None:
    """That of the account comes first, for those who are in it."""
    assert house.browser(language="it-IT,it;q=0.9").get("/login").find("html")["lang"] == "it"
    assert house.browser(language="de").get("/login").find("html")["lang"] == "en"
    assert house.owner(language="it").get("/account").find("html")["lang"] == "en"


def test_who_has_yet_to_choose_a_password_may_choose_a_language(house: House) -> None:
    """So that they can read what is asked of them."""
    browser = house.sub_user(house.account.let_in_active(), password=TEMPORARY)
    page = browser.submit(browser.get("/preferences"), "/preferences", language="it")

    assert page.path == "/preferences"
    assert browser.get("/password").find("h1").text == "Scegli una password tua"


def test_every_time_zone_that_is_offered_exists() -> None:
    """And UTC comes first."""
    names = times.time_zone_names()
    assert names[0] == "UTC"
    assert {"Europe/Rome", "America/New_York", "Asia/Kolkata"} < set(names)
    assert all(times.time_zone(name).key == name for name in names)
