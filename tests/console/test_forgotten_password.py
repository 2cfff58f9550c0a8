"""The form for forgotten passwords: the same response, after the same time, whoever is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from application.throttle_keys import PASSWORD_RESETS_PER_HOUR
from tests.api.login_timing import require_multiples_of_the_interval
from tests.builders import deliver_mails, plain_text

if TYPE_CHECKING:
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole

NOBODY = "nobody@company.example"


def ask_as_sub_user(browser: Browser, account_email: str, email: str) -> Page:
    page = browser.get("/forgotten-password?as=sub-user")
    return browser.submit(page, account_email=account_email, email=email)


def ask_as_owner(browser: Browser, account_email: str) -> Page:
    return browser.submit(browser.get("/forgotten-password"), account_email=account_email)


@pytest.mark.parametrize("tab", ["", "?as=sub-user"])
def test_login_leads_to_the_form_of_the_same_tab(console: AccountConsole, tab: str) -> None:
    login = console.browser().get(f"/login{tab}")
    link = login.find(f'main a[href="/forgotten-password{tab}"]')
    assert link.text == "Forgot your password?"
    page = console.browser().get(str(link["href"]))
    assert page.find("main nav a[aria-current]").text == ("SUB-USER" if tab else "MAIN ACCOUNT")
    assert page.find(f'main p a[href="/login{tab}"]')


def test_sub_user_is_mailed_a_link(own_console: AccountConsole) -> None:
    sub_user = own_console.account.create_with_own_password()
    page = ask_as_sub_user(own_console.browser(), own_console.account.email, sub_user.email)
    assert (page.status, page.path) == (200, "/forgotten-password/requested?as=sub-user")
    mail = deliver_mails(own_console.clients.service)[-1]
    assert [address.addr_spec for address in mail["To"].addresses] == [sub_user.email]
    assert "/password-reset/" in plain_text(mail)


def test_owner_is_mailed_a_link(own_console: AccountConsole) -> None:
    page = ask_as_owner(own_console.browser(), own_console.account.email)
    assert (page.status, page.path) == (200, "/forgotten-password/requested")
    mail = deliver_mails(own_console.clients.service)[-1]
    assert [address.addr_spec for address in mail["To"].addresses] == [own_console.account.email]
    assert "/password-reset/" in plain_text(mail)


def test_response_and_its_time_are_the_same_for_everybody(console: AccountConsole, delays: list[float]) -> None:
    sub_user, inactive = (console.account.create_with_own_password() for _ in range(2))
    inactive.change(status="inactive")
    people = [(console.account.email, email) for email in (sub_user.email, inactive.email, NOBODY)]
    delays.clear()
    pages = [ask_as_sub_user(console.browser(), *emails) for emails in [*people, (NOBODY, NOBODY)]]
    assert len({(page.status, page.path, page.text) for page in pages}) == 1
    pages = [ask_as_owner(console.browser(), email) for email in (console.account.email, NOBODY)]
    assert len({(page.status, page.path, page.text) for page in pages}) == 1
    assert len(delays) == 6
    require_multiples_of_the_interval(delays)


def test_limit_is_the_same_for_everybody(console: AccountConsole, delays: list[float]) -> None:
    sub_user = console.account.create_with_own_password()
    delays.clear()
    for number, email in enumerate((sub_user.email, NOBODY)):
        browser = console.browser(address=f"198.51.100.{number + 20}")
        for _ in range(PASSWORD_RESETS_PER_HOUR):
            assert ask_as_sub_user(browser, console.account.email, email).status == 200
        page = ask_as_sub_user(browser, console.account.email, email)
        assert page.status == 429
        assert int(page.response.headers["Retry-After"]) > 0
        assert page.find("main .notice.warning")
        assert page.find("input[name=email]")["value"] == email
    require_multiples_of_the_interval(delays)


def test_incomplete_form_is_shown_again(console: AccountConsole) -> None:
    """In particular, a sub-user who forgets their own e-mail is not taken for the owner."""
    browser = console.browser()
    page = ask_as_sub_user(browser, console.account.email, "")
    assert (page.status, page.error("email")) == (422, "Fill this in.")
    assert page.find("input[name=account_email]")["value"] == console.account.email
    assert ask_as_owner(browser, "").status == 422
    assert ask_as_owner(browser, "x" * 1001).status == 422


def test_form_requires_a_csrf_token(console: AccountConsole) -> None:
    assert console.browser().post("/forgotten-password", {"account_email": NOBODY}).status == 403


def test_form_is_in_italian(console: AccountConsole) -> None:
    browser = console.browser(language="it")
    assert browser.get("/forgotten-password").find("h1").text == "Hai dimenticato la password?"
    assert ask_as_owner(browser, NOBODY).find("h1").text == "Controlla la tua email"


def test_owner_lets_sub_users_reset_their_password_or_not(console: AccountConsole) -> None:
    browser = console.owner()
    page = browser.get("/account")
    assert page.find("#sub_user_password_reset").has_attr("checked")
    page = browser.submit(page, "/account/password-resets", sub_user_password_reset=False)
    assert page.success_message.startswith("Sub-users may no longer reset")
    assert not page.find("#sub_user_password_reset").has_attr("checked")
    assert console.clients.portal.get(console.account.path).json["sub_user_password_reset"] is False  # type: ignore[index]
    page = browser.submit(page, "/account/password-resets", sub_user_password_reset=True)
    assert page.success_message == "Sub-users may reset a forgotten password."
    assert console.clients.portal.get(console.account.path).json["sub_user_password_reset"] is True  # type: ignore[index]
