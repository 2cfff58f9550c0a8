"""Second factors in the console: enrolment, the second step of a login, recovery, policy and reset."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.clients import OWN_PASSWORD
from tests.api.second_factors import totp_code
from tests.authenticator import Authenticator
from tests.console.conftest import OWNER_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.clients import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole

SECURITY = "/sign-in-security"


def add_app(browser: Browser) -> tuple[str, list[str]]:
    """Add an authenticator app, and return its secret and the recovery codes that the page shows."""
    page = browser.submit(browser.get(SECURITY), "/app")
    secret = page.find("#secret").text
    page = browser.submit(page, code=totp_code(secret, offset=-1))
    assert page.status == 200, page.text
    return secret, [code.text for code in page.soup.select(".recovery-codes code")]


def ceremony(browser: Browser, form: Any, respond: Any, **fields: str) -> Page:
    """Do what the script does: get a challenge, answer it, and send the form."""
    csrf = str(form["data-csrf"])
    challenge: Any = browser.post(str(form["data-options"]), {"csrf": csrf}).response.json
    passkey = json.dumps(respond(challenge["options"]))
    answer = {"csrf": csrf, "challenge_id": challenge["challenge_id"], "passkey": passkey}
    return browser.post(str(form["action"]), {**answer, **fields})


def log_in(console: AccountConsole, sub_user: SubUser | None) -> tuple[Browser, Page]:
    browser = console.browser()
    if sub_user is None:
        return browser, browser.log_in(console.account.email, OWNER_PASSWORD)
    return browser, browser.log_in_as_sub_user(console.account.email, sub_user.email, OWN_PASSWORD)


@pytest.fixture(params=["owner", "sub-user"])
def person(request: pytest.FixtureRequest, console: AccountConsole) -> SubUser | None:
    """Return a sub-user, or None for the owner."""
    return None if request.param == "owner" else console.account.create_with_own_password()


def test_login_with_a_code(console: AccountConsole, person: SubUser | None) -> None:
    """The password opens no page but the one that asks for the code."""
    browser, _ = log_in(console, person)
    secret, codes = add_app(browser)
    assert len(codes) == 10
    other, page = log_in(console, person)
    assert page.path == "/second-factor"
    assert other.get("/usage" if person is None else "/colleagues").path.startswith("/second-factor")
    page = other.submit(page, code="000000")
    assert page.status == 401
    assert "isn't right" in page.text
    page = other.submit(page, code=totp_code(secret))
    assert page.path == ("/sub-users" if person is None else "/profile")


def test_login_with_a_recovery_code(console: AccountConsole, person: SubUser | None) -> None:
    browser, _ = log_in(console, person)
    _, codes = add_app(browser)
    other, page = log_in(console, person)
    page = other.submit(page, code=codes[0])
    assert page.status == 200
    assert "9 unused recovery codes" in other.get(SECURITY).text


def test_login_leads_to_the_page_that_was_asked_for(console: AccountConsole) -> None:
    secret, _ = add_app(console.owner())
    browser = console.browser()
    page = browser.get("/usage")
    page = browser.submit(page, email=console.account.email, password=OWNER_PASSWORD)
    assert browser.submit(page, code=totp_code(secret)).path == "/usage"


def test_passkeys(console: AccountConsole, person: SubUser | None) -> None:
    """Added on the page of the visitor, used as a second factor, and instead of the password."""
    authenticator = Authenticator(console.clients.service.settings.public_url)
    browser, _ = log_in(console, person)
    form = browser.get(SECURITY).form("/passkey")
    page = ceremony(browser, form, authenticator.create, name="My key")
    assert page.soup.select(".recovery-codes code")
    assert "My key" in browser.get(SECURITY).text
    other, page = log_in(console, person)
    form = page.find("form[data-passkey]")
    assert ceremony(other, form, authenticator.get).path == ("/sub-users" if person is None else "/profile")
    alone = console.browser()
    form = alone.get("/login" if person is None else "/login?as=sub-user").find("form[data-passkey]")
    page = ceremony(alone, form, authenticator.get)
    assert page.path == ("/sub-users" if person is None else "/profile")


def test_refused_passkey_at_login(console: AccountConsole) -> None:
    browser = console.browser()
    form = browser.get("/login").find("form[data-passkey]")
    unknown = Authenticator(console.clients.service.settings.public_url)
    page = ceremony(browser, form, unknown.get)
    assert (page.status, "with this passkey" in page.text) == (401, True)
    csrf = {"csrf": str(form["data-csrf"])}
    assert browser.post("/login/passkey", {**csrf, "passkey": "[", "challenge_id": "no"}).status == 422


def test_wrong_confirmation_shows_the_same_key_again(console: AccountConsole) -> None:
    browser = console.owner()
    page = browser.submit(browser.get(SECURITY), "/app")
    secret = page.find("#secret").text
    page = browser.submit(page, code="1")
    assert (page.status, page.find("#secret").text) == (422, secret)
    assert page.error("code")


def test_removing_and_new_codes(console: AccountConsole) -> None:
    browser = console.owner()
    _, codes = add_app(browser)
    page = browser.submit(browser.get(SECURITY), "/recovery-codes")
    assert not {*codes} & {code.text for code in page.soup.select(".recovery-codes code")}
    page = browser.submit(browser.get(SECURITY), "/remove")
    assert page.success_message == "The second factor is removed."
    assert "no second factor" in page.text


def test_required_second_factor(console: AccountConsole) -> None:
    """The owner sets the policy, and has to add a second factor at once. So do sub-users."""
    sub_user, owner = console.account.create_with_own_password(), console.owner()
    page = owner.submit(owner.get("/account"), "/second-factor-policy", second_factor_policy="required")
    assert page.path.startswith(SECURITY)
    add_app(owner)
    assert owner.get("/account").status == 200
    browser, page = log_in(console, sub_user)
    assert (page.path, "requires a second factor" in page.text) == (SECURITY, True)
    add_app(browser)
    assert browser.get("/profile").path == "/profile"


def test_the_owner_resets_a_sub_users_factor(console: AccountConsole) -> None:
    sub_user, owner = console.account.create_with_own_password(), console.owner()
    path = f"/sub-users/{sub_user.sub_user_id}"
    assert "Reset second factor" not in owner.get(path).text
    browser, _ = log_in(console, sub_user)
    add_app(browser)
    assert "Reset second factor" in owner.get(path).text
    page = owner.submit(owner.get(f"{path}/second-factors/reset"))
    assert "are removed" in page.success_message
    assert browser.get("/profile").path.startswith("/login")
    assert log_in(console, sub_user)[1].path == "/profile"


def test_logging_out_before_the_second_step(console: AccountConsole) -> None:
    add_app(console.owner())
    browser, page = log_in(console, None)
    assert browser.submit(page, "/logout").path.startswith("/login")
    assert browser.get("/").path.startswith("/login")


def test_pages_in_italian(new_console: Callable[..., AccountConsole]) -> None:
    console = new_console(language="it")
    add_app(console.owner())
    assert "Secondo fattore" in log_in(console, None)[1].text
