"""Forms that only our own pages can send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.console.conftest import OWNERS_PASSWORD

if TYPE_CHECKING:
    from tests.console.browsing import Browser
    from tests.console.conftest import House

FORM = "__Host-subusers-form"


def token_of(browser: Browser) -> str:
    return str(browser.get("/preferences").find("main [name=csrf]")["value"])


def is_taken(browser: Browser, token: str, headers: dict[str, str] | None = None) -> bool:
    """Send a form with that token, and say whether it was taken."""
    page = browser.post("/preferences", {"csrf": token, "language": "en"}, headers)
    assert page.status in {200, 403}
    assert page.status == 200 or page.find("h1").text == "This form has expired"
    return page.status == 200


def test_a_form_of_ours_is_taken(house: House) -> None:
    """As often as it is sent, and from another tab too."""
    for browser in (house.browser(), house.owner()):
        token = token_of(browser)
        assert token == token_of(browser)
        assert is_taken(browser, token)
        assert is_taken(browser, token)


def test_the_token_of_another_browser_is_refused(house: House) -> None:
    """Also of one with a session of the same owner's."""
    assert not is_taken(house.owner(), token_of(house.owner()))
    assert not is_taken(house.browser(), token_of(house.browser()))
    browser = house.browser()
    token_of(browser)
    assert not is_taken(browser, token_of(house.browser()))


def test_a_token_from_before_the_login_is_refused(house: House) -> None:
    """And one of the session before."""
    browser = house.browser()
    before = token_of(browser)
    browser.log_in(house.account.email, OWNERS_PASSWORD)
    assert not is_taken(browser, before)

    within = token_of(browser)
    browser.submit(browser.get("/account"), "/logout")
    assert not is_taken(browser, within)
    assert is_taken(browser, before)  # nobody is logged in, then as now


def test_a_planted_cookie_is_of_no_use_without_its_token(house: House) -> None:
    """And somebody else's pair of cookie and token ends with the login."""
    mallory, victim = house.browser(), house.owner()
    token = token_of(mallory)
    victim.set_cookie(FORM, mallory.cookie("form") or "")

    assert not is_taken(victim, token)


@pytest.mark.parametrize("cookie", ["", "x", "é", "x" * 3000])
def test_a_strange_cookie_does_no_harm(house: House, cookie: str) -> None:
    """Its forms are taken, or it is replaced."""
    browser = house.browser()
    browser.set_cookie(FORM, cookie)
    assert not is_taken(browser, "")
    assert is_taken(browser, token_of(browser))


@pytest.mark.parametrize("token", ["", "0" * 64, "é", "\0", "x" * 10_000, "%"])
def test_a_made_up_token_is_refused(house: House, token: str) -> None:
    """Without a cookie, and with one."""
    browser = house.browser()
    assert not is_taken(browser, token)
    token_of(browser)
    assert not is_taken(browser, token)


@pytest.mark.parametrize(
    ("site", "taken"),
    [("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False), ("anything", False)],
)
def test_a_browser_that_tells_of_another_site_is_believed(house: House, site: str, *, taken: bool) -> None:
    """Even with the right token."""
    browser = house.owner()
    assert is_taken(browser, token_of(browser), {"Sec-Fetch-Site": site}) is taken


def test_the_token_is_in_no_address(house: House) -> None:
    """Forms that only look have none."""
    for form in house.owner().get("/sub-users").soup.select("form[method=get], form:not([method])"):
        assert not form.select("[name=csrf]")
