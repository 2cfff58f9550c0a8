"""CSRF protection of the console's forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.console.conftest import OWNER_PASSWORD

if TYPE_CHECKING:
    from tests.console.browsing import Browser
    from tests.console.conftest import AccountConsole

FORM = "__Host-subusers-form"


def token_of(browser: Browser) -> str:
    return str(browser.get("/preferences").find("main [name=csrf]")["value"])


def is_accepted(browser: Browser, token: str, headers: dict[str, str] | None = None) -> bool:
    """Submit a form with the token and return whether it was accepted."""
    page = browser.post("/preferences", {"csrf": token, "language": "en"}, headers)
    assert page.status in {200, 403}
    assert page.status == 200 or page.find("h1").text == "This form has expired"
    return page.status == 200


def test_token_of_the_same_browser_is_accepted(console: AccountConsole) -> None:
    """The token can be used repeatedly, and in other tabs."""
    for browser in (console.browser(), console.owner()):
        token = token_of(browser)
        assert is_accepted(browser, token)
        assert is_accepted(browser, token)


def test_tokens_of_two_pages_have_nothing_in_common(console: AccountConsole) -> None:
    """Otherwise the sizes of compressed pages with a guess in them would reveal the token (BREACH)."""
    browser = console.owner()
    first, second = token_of(browser), token_of(browser)
    assert first[:64] != second[:64]
    assert first[64:] != second[64:]
    assert is_accepted(browser, first)
    assert is_accepted(browser, second)
    assert not is_accepted(browser, first[:64] + second[64:])


def test_token_of_another_browser_is_refused(console: AccountConsole) -> None:
    """This holds even if both are browsers of the same owner."""
    assert not is_accepted(console.owner(), token_of(console.owner()))
    assert not is_accepted(console.browser(), token_of(console.browser()))
    browser = console.browser()
    token_of(browser)
    assert not is_accepted(browser, token_of(console.browser()))


def test_token_from_before_the_login_is_refused(console: AccountConsole) -> None:
    """The token of an ended session is refused too."""
    browser = console.browser()
    anonymous_token = token_of(browser)
    browser.log_in(console.account.email, OWNER_PASSWORD)
    assert not is_accepted(browser, anonymous_token)

    session_token = token_of(browser)
    browser.submit(browser.get("/account"), "/logout")
    assert not is_accepted(browser, session_token)
    assert is_accepted(browser, anonymous_token)  # anonymous again


def test_planted_cookie_and_token_are_refused_after_login(console: AccountConsole) -> None:
    """The token is bound to the session as well as to the cookie."""
    attacker, victim = console.browser(), console.owner()
    token = token_of(attacker)
    victim.set_cookie(FORM, attacker.cookie("form") or "")

    assert not is_accepted(victim, token)


@pytest.mark.parametrize("cookie", ["", "x", "é", "x" * 3000])
def test_malformed_csrf_cookie_is_harmless(console: AccountConsole, cookie: str) -> None:
    browser = console.browser()
    browser.set_cookie(FORM, cookie)
    assert not is_accepted(browser, "")
    assert is_accepted(browser, token_of(browser))


@pytest.mark.parametrize("token", ["", "0" * 64, "0" * 128, "é", "\0", "x" * 10_000, "%"])
def test_invalid_csrf_token_is_refused(console: AccountConsole, token: str) -> None:
    """This holds with and without a cookie."""
    browser = console.browser()
    assert not is_accepted(browser, token)
    token_of(browser)
    assert not is_accepted(browser, token)


@pytest.mark.parametrize(
    ("site", "accepted"),
    [("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False), ("anything", False)],
)
def test_cross_site_submission_is_refused_despite_a_valid_token(
    console: AccountConsole, site: str, *, accepted: bool
) -> None:
    browser = console.owner()
    assert is_accepted(browser, token_of(browser), {"Sec-Fetch-Site": site}) is accepted


def test_get_forms_contain_no_csrf_token(console: AccountConsole) -> None:
    """The token would end up in URLs."""
    for form in console.owner().get("/sub-users").soup.select("form[method=get], form:not([method])"):
        assert not form.select("[name=csrf]")
