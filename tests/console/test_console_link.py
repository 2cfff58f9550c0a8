"""Console links: single-use login links that the portal creates for owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from application.sign_in.new_session import token_hash

if TYPE_CHECKING:
    from tests.conftest import TravelingClock
    from tests.console.browsing import Browser
    from tests.console.conftest import AccountConsole


def create_link(console: AccountConsole) -> str:
    """Return the path of a new link."""
    response: Any = console.account.portal.post(f"{console.account.path}/console-links").json
    return str(response["url"]).removeprefix("https://portal.example")


def has_open_session(console: AccountConsole, browser: Browser) -> bool:
    token = browser.cookie("session") or ""
    return console.clients.service.queries.sessions.find(token_hash(token), console.clients.service.clock()) is not None


def test_link_button_logs_the_owner_in(console: AccountConsole) -> None:
    browser = console.browser()
    page = browser.submit(browser.get(create_link(console)))

    assert (page.status, page.path) == (200, "/sub-users")
    assert browser.get("/account").status == 200


def test_opening_a_link_does_not_use_it_up(console: AccountConsole) -> None:
    """Previews and prefetches are harmless."""
    path = create_link(console)
    for _ in range(3):
        assert console.browser().get(path).status == 200
    browser = console.browser()
    assert browser.submit(browser.get(path)).path == "/sub-users"


def test_valid_used_and_unknown_links_look_the_same(console: AccountConsole) -> None:
    valid, used = create_link(console), create_link(console)
    browser = console.browser()
    browser.submit(browser.get(used))
    pages = [console.browser().get(path) for path in (valid, used, "/console/link/none", "/console/link/%00")]

    assert {page.status for page in pages} == {200}
    assert len({page.text for page in pages}) == 1


@pytest.mark.parametrize("secret", ["unknown", "%00", "%ED%A0%80", "x" * 5000, "%0d%0aSet-Cookie:%20a=b", "<b>"])
def test_unknown_link_is_refused_with_an_explanation(console: AccountConsole, secret: str) -> None:
    browser = console.browser()
    page = browser.submit(browser.get(f"/console/link/{secret}"))

    assert page.status == 410
    assert "Go back to the portal" in page.text
    assert browser.cookie("session") is None
    assert page.response.headers["Referrer-Policy"] == "no-referrer"


def test_link_can_be_used_once(console: AccountConsole) -> None:
    path = create_link(console)
    first_browser, second_browser = console.browser(), console.browser(language="it")
    pages = first_browser.get(path), second_browser.get(path)
    assert first_browser.submit(pages[0]).path == "/sub-users"
    page = second_browser.submit(pages[1])

    assert page.status == 410
    assert page.find("h1").text == "Questo link non è più valido"
    assert second_browser.cookie("session") is None


def test_link_expires_after_a_minute(own_console: AccountConsole, clock: TravelingClock) -> None:
    browser = own_console.browser()
    page = browser.get(create_link(own_console))
    clock.advance(seconds=61)

    assert browser.submit(page).status == 410


def test_link_button_requires_a_csrf_token(console: AccountConsole) -> None:
    """Refused submissions do not use up the link."""
    path = create_link(console)
    browser = console.browser()
    assert browser.post(path, {}).status == 403
    browser.get(path)
    assert browser.post(path, {"csrf": "0" * 64}).status == 403
    page = browser.get(path)
    token = str(page.find("main [name=csrf]")["value"])
    assert browser.post(path, {"csrf": token}, {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert browser.post(path, {"csrf": token}, {"Sec-Fetch-Site": "same-origin", "Origin": "null"}).path == "/sub-users"


def test_link_login_replaces_the_existing_session(console: AccountConsole) -> None:
    """The session of any user is replaced (ASVS 7.2.4). A second use of the link does not affect the new one."""
    sub_user = console.account.create_with_own_password()
    browser = console.sub_user(sub_user)
    old_token = browser.cookie("session") or ""
    path = create_link(console)
    page = browser.get(path)
    assert "You're logged in to Winds & Waves in this browser" in page.text
    assert browser.submit(page).path == "/sub-users"
    service = console.clients.service
    assert service.queries.sessions.find(token_hash(old_token), service.clock()) is None

    page = browser.submit(browser.get(path))
    assert page.status == 410
    assert has_open_session(console, browser)


def test_link_secret_is_neither_logged_nor_sent_as_referrer(console: AccountConsole) -> None:
    path = create_link(console)
    browser = console.browser()
    with capture_logs() as log_entries:
        page = browser.get(path)
        login = browser.submit(page)
        second_page = browser.submit(page)

    secret = path.rpartition("/")[2]
    assert log_entries
    assert secret not in str(log_entries)
    assert secret not in page.response.text
    responses = [page.response, login.response.history[0], second_page.response]
    assert [response.headers["Referrer-Policy"] for response in responses] == ["no-referrer"] * 3
    assert [response.headers["Cache-Control"] for response in responses] == ["no-store"] * 3
