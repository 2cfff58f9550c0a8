"""A link from the portal, by which an account's owner logs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from application.new_session import token_hash

if TYPE_CHECKING:
    from tests.conftest import TravelingClock
    from tests.console.browsing import Browser
    from tests.console.conftest import House


def link_to(house: House) -> str:
    """Return the path of a new link."""
    answer: Any = house.account.portal.post(f"{house.account.path}/console-links").json
    return str(answer["url"]).removeprefix("https://portal.example")


def is_good(house: House, browser: Browser) -> bool:
    token = browser.cookie("session") or ""
    return house.doors.service.open_sessions.find(token_hash(token), house.doors.service.clock()) is not None


def test_the_button_logs_the_owner_in(house: House) -> None:
    """Without a password."""
    browser = house.browser()
    page = browser.submit(browser.get(link_to(house)))

    assert (page.status, page.path) == (200, "/sub-users")
    assert browser.get("/account").status == 200


def test_looking_spends_nothing(house: House) -> None:
    """Previews and prefetches may look as often as they like."""
    path = link_to(house)
    for _ in range(3):
        assert house.browser().get(path).status == 200
    browser = house.browser()
    assert browser.submit(browser.get(path)).path == "/sub-users"


def test_looking_tells_nothing(house: House) -> None:
    """A good link, a spent one and none look alike."""
    good, spent = link_to(house), link_to(house)
    browser = house.browser()
    browser.submit(browser.get(spent))
    pages = [house.browser().get(path) for path in (good, spent, "/console/link/none", "/console/link/%00")]

    assert {page.status for page in pages} == {200}
    assert len({page.text for page in pages}) == 1


@pytest.mark.parametrize("secret", ["unknown", "%00", "%ED%A0%80", "x" * 5000, "%0d%0aSet-Cookie:%20a=b", "<b>"])
def test_an_unknown_link_says_where_to_get_another(house: House, secret: str) -> None:
    """And opens nothing."""
    browser = house.browser()
    page = browser.submit(browser.get(f"/console/link/{secret}"))

    assert page.status == 410
    assert "Go back to the portal" in page.text
    assert browser.cookie("session") is None
    assert page.response.headers["Referrer-Policy"] == "no-referrer"


def test_a_link_is_good_once(house: House) -> None:
    """Of two who hold it, one gets in."""
    path = link_to(house)
    early, late = house.browser(), house.browser(language="it")
    pages = early.get(path), late.get(path)
    assert early.submit(pages[0]).path == "/sub-users"
    page = late.submit(pages[1])

    assert page.status == 410
    assert page.find("h1").text == "Questo link non è più valido"
    assert late.cookie("session") is None


def test_a_link_is_good_for_a_minute(own_house: House, clock: TravelingClock) -> None:
    """Not longer."""
    browser = own_house.browser()
    page = browser.get(link_to(own_house))
    clock.advance(seconds=61)

    assert browser.submit(page).status == 410


def test_the_button_needs_its_page(house: House) -> None:
    """A form from elsewhere spends no link."""
    path = link_to(house)
    browser = house.browser()
    assert browser.post(path, {}).status == 403
    browser.get(path)
    assert browser.post(path, {"csrf": "0" * 64}).status == 403
    page = browser.get(path)
    token = str(page.find("main [name=csrf]")["value"])
    assert browser.post(path, {"csrf": token}, {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert browser.post(path, {"csrf": token}, {"Sec-Fetch-Site": "same-origin", "Origin": "null"}).path == "/sub-users"


def test_the_session_that_the_browser_had_ends(house: House) -> None:
    """Somebody else's, or an older one of the owner's (ASVS 7.2.4); it stays where the link is spent."""
    one = house.account.let_in_settled()
    browser = house.sub_user(one)
    old = browser.cookie("session") or ""
    path = link_to(house)
    page = browser.get(path)
    assert "You are logged in to Winds & Waves in this browser" in page.text
    assert browser.submit(page).path == "/sub-users"
    service = house.doors.service
    assert service.open_sessions.find(token_hash(old), service.clock()) is None

    page = browser.submit(browser.get(path))
    assert page.status == 410
    assert is_good(house, browser)


def test_the_secret_is_told_to_nobody(house: House) -> None:
    """Neither to the log, nor by the browser to whatever the page leads to."""
    path = link_to(house)
    browser = house.browser()
    with capture_logs() as lines:
        page = browser.get(path)
        led = browser.submit(page)
        again = browser.submit(page)

    secret = path.rpartition("/")[2]
    assert lines
    assert secret not in str(lines)
    assert secret not in page.response.text
    answers = [page.response, led.response.history[0], again.response]
    assert [answer.headers["Referrer-Policy"] for answer in answers] == ["no-referrer"] * 3
    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 3
