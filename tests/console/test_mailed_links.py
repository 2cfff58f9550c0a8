"""Pages of mailed links: a person chooses a password, with a link that opening it does not use up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from tests.api.clients import is_session_active
from tests.builders import deliver_mails, plain_text
from tests.console.conftest import OWNER_PASSWORD
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.clients import SubUser
    from tests.conftest import TravelingClock
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole

NEW_PASSWORD = "a phrase that nobody knew"
SECRETS = ["unknown", "%00", "%ED%A0%80", "x" * 5000, "%0d%0aSet-Cookie:%20a=b", "<b>"]


def newest_link(console: AccountConsole, purpose: str) -> str:
    """Return the path of the link in the newest mail."""
    text = plain_text(deliver_mails(console.clients.service)[-1])
    return f"/{purpose}/" + text.split(f"https://portal.example/{purpose}/")[1].split()[0]


def invite(console: AccountConsole) -> tuple[SubUser, str]:
    """Return an invited sub-user, and the path of their link."""
    sub_user = console.account.create_sub_user()
    sub_user.change(status="active", credentials="link")
    return sub_user, newest_link(console, "invitation")


def reset_link(console: AccountConsole, email: str | None = None) -> str:
    """Return the path of a link for a sub-user or the owner (None) who forgot their password."""
    body = {"account_email": console.account.email, **({"email": email} if email is not None else {})}
    console.clients.portal.post("/v1/password-resets", json=body)
    return newest_link(console, "password-reset")


def choose(browser: Browser, path: str, password: str = NEW_PASSWORD) -> Page:
    return browser.submit(browser.get(path), new_password=password)


def test_invited_sub_user_chooses_a_password_and_logs_in(own_console: AccountConsole) -> None:
    sub_user, path = invite(own_console)
    browser = own_console.browser()
    page = browser.get(path)
    assert page.find("h1").text == "Choose your password"

    page = browser.submit(page, new_password=NEW_PASSWORD)
    assert (page.status, page.path) == (200, "/login?as=sub-user")
    assert page.success_message == "Your password is set. Log in with it."
    page = browser.log_in_as_sub_user(own_console.account.email, sub_user.email, NEW_PASSWORD)
    assert page.path == "/profile"


def test_sub_user_replaces_a_forgotten_password(own_console: AccountConsole) -> None:
    """All of their sessions end."""
    sub_user = own_console.account.create_with_own_password()
    token = sub_user.new_token()
    browser = own_console.browser()
    page = choose(browser, reset_link(own_console, sub_user.email))
    assert page.path == "/login?as=sub-user"
    assert not is_session_active(own_console.clients.portal, token)
    assert browser.log_in_as_sub_user(own_console.account.email, sub_user.email, NEW_PASSWORD).path == "/profile"


def test_owner_replaces_a_forgotten_password(own_console: AccountConsole) -> None:
    browser = own_console.browser()
    page = choose(browser, reset_link(own_console))
    assert page.path == "/login"
    assert browser.log_in(own_console.account.email, OWNER_PASSWORD).status == 401
    assert browser.log_in(own_console.account.email, NEW_PASSWORD).path == "/sub-users"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_thousand_requests_use_no_link_up(own_console: AccountConsole, method: str) -> None:
    """Mail programs and their scanners open links."""
    sub_user, path = invite(own_console)
    client = own_console.clients.app.test_client()
    rows = own_console.account.audit_log_rows()
    for _ in range(1000):
        assert client.open(path, method=method).status_code == 200
    assert own_console.account.audit_log_rows() == rows
    assert choose(own_console.browser(), path).path == "/login?as=sub-user"
    assert sub_user.fetch()["must_change_password"] is False


@pytest.mark.parametrize("purpose", ["invitation", "password-reset"])
def test_valid_used_and_unknown_links_look_the_same(own_console: AccountConsole, purpose: str) -> None:
    """The page reveals nothing, not even of links for another purpose."""
    valid, used = invite(own_console)[1], invite(own_console)[1]
    choose(own_console.browser(), used)
    secrets = [path.rpartition("/")[2] for path in (valid, used)]
    pages = [own_console.browser().get(f"/{purpose}/{secret}") for secret in [*secrets, *SECRETS]]
    assert {page.status for page in pages} == {200}
    assert len({page.text for page in pages}) == 1


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("purpose", ["invitation", "password-reset"])
def test_unknown_link_leads_to_a_new_one(console: AccountConsole, purpose: str, secret: str) -> None:
    page = choose(console.browser(), f"/{purpose}/{secret}")
    assert (page.status, page.find("h1").text) == (410, "This link no longer works")
    assert page.response.headers["Referrer-Policy"] == "no-referrer"
    assert page.find('main a[href^="/forgotten-password"]')


def test_used_link_leads_to_a_new_one(own_console: AccountConsole) -> None:
    _, path = invite(own_console)
    first, second = own_console.browser(), own_console.browser(language="it")
    forms = first.get(path), second.get(path)
    assert first.submit(forms[0], new_password=NEW_PASSWORD).status == 200
    page = second.submit(forms[1], new_password="another phrase that nobody knew")
    assert (page.status, page.find("h1").text) == (410, "Questo link non è più valido")


@pytest.mark.parametrize(("purpose", "lifetime"), [("invitation", {"days": 7}), ("password-reset", {"minutes": 30})])
def test_expired_link_leads_to_a_new_one(
    own_console: AccountConsole, clock: TravelingClock, purpose: str, lifetime: dict[str, Any]
) -> None:
    sub_user, path = invite(own_console)
    if purpose == "password-reset":
        path = reset_link(own_console, sub_user.email)
    form = own_console.browser().get(path)
    assert form.status == 200
    clock.advance(**lifetime)
    assert choose(own_console.browser(), path).status == 410


def test_link_is_good_once(own_console: AccountConsole) -> None:
    """Of 16 browsers that use it at the same time, exactly one sets its password."""
    sub_user, path = invite(own_console)
    browsers = [own_console.browser() for _ in range(16)]
    forms = [browser.get(path) for browser in browsers]

    def use(number: int) -> int:
        page = browsers[number].submit(forms[number], new_password=f"the phrase of browser {number}")
        return page.status

    statuses = run_concurrently([partial(use, number) for number in range(len(browsers))])
    assert sorted(statuses) == [200, *([410] * 15)]  # type: ignore[type-var]
    winner = statuses.index(200)
    login = own_console.browser().log_in_as_sub_user(
        own_console.account.email, sub_user.email, f"the phrase of browser {winner}"
    )
    assert login.path == "/profile"


@pytest.mark.parametrize(
    ("password", "error"),
    [
        ("", "Fill this in."),
        ("short", "Enter 15 to 128 characters."),
        ("aaaaaaaaaaaaaaaaaaaa", "This is too common or too easy to guess. Try a few unrelated words."),
    ],
)
def test_refused_password_does_not_use_up_the_link(own_console: AccountConsole, password: str, error: str) -> None:
    """The error is at the field. The password is not sent back."""
    _, path = invite(own_console)
    browser = own_console.browser()
    page = choose(browser, path, password)
    assert page.status == 422
    assert page.error("new_password") == error
    assert not page.find("input[name=new_password]").get("value")
    assert page.response.headers["Referrer-Policy"] == "no-referrer"
    assert browser.submit(page, new_password=NEW_PASSWORD).path == "/login?as=sub-user"


def test_form_requires_a_csrf_token(own_console: AccountConsole) -> None:
    """Refused submissions do not use up the link."""
    _, path = invite(own_console)
    browser = own_console.browser()
    assert browser.post(path, {"new_password": NEW_PASSWORD}).status == 403
    page = browser.get(path)
    assert browser.post(path, {"csrf": "0" * 64, "new_password": NEW_PASSWORD}).status == 403
    token = str(page.find("main [name=csrf]")["value"])
    data = {"csrf": token, "new_password": NEW_PASSWORD}
    assert browser.post(path, data, {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert browser.post(path, data, {"Sec-Fetch-Site": "same-origin", "Origin": "null"}).status == 200


@pytest.mark.parametrize(
    "log_in", [lambda console: console.owner(), lambda console: console.sub_user()], ids=["owner", "other sub-user"]
)
def test_session_in_the_same_browser_ends(
    own_console: AccountConsole, log_in: Callable[[AccountConsole], Browser]
) -> None:
    """Otherwise the person would go on as someone else. The page says so."""
    _, path = invite(own_console)
    browser = log_in(own_console)
    page = browser.get(path)
    assert "You're logged in to Winds & Waves in this browser." in page.text
    page = browser.submit(page, new_password=NEW_PASSWORD)
    assert page.path == "/login?as=sub-user"
    assert browser.cookie("session") is None


def test_secret_is_neither_logged_nor_sent_as_referrer(own_console: AccountConsole) -> None:
    sub_user, invitation = invite(own_console)
    reset = reset_link(own_console, sub_user.email)
    for path in (reset, invitation):
        browser = own_console.browser()
        with capture_logs() as log_entries:
            page = browser.get(path)
            refused = browser.submit(page, new_password="short")
            chosen = browser.submit(page, new_password=NEW_PASSWORD)
            gone = browser.submit(page, new_password=NEW_PASSWORD)
        assert log_entries
        for text in (str(log_entries), page.response.text, refused.response.text, gone.response.text):
            assert path.rpartition("/")[2] not in text
        first = chosen.response.history[0] if chosen.response.history else chosen.response
        for response in (page.response, refused.response, first, gone.response):
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Cache-Control"] == "no-store"
