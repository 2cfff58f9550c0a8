"""Sending new access data to active sub-users in the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.clients import is_session_active
from tests.builders import deliver_mails, mailed_password, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.clients import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole


def confirmation_page(browser: Browser, sub_user: SubUser) -> Page:
    return browser.get(f"/sub-users/{sub_user.sub_user_id}/send-again")


def test_sending_access_data_requires_confirmation(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password(name="<i>Grace</i>")
    token = sub_user.new_token()

    page = confirmation_page(console.owner(), sub_user)

    assert page.status == 200
    assert page.find("h1").text == "Send new access data to <i>Grace</i> Hopper?"
    assert sub_user.email in page.text
    assert "stops working, and all their sessions end immediately." in page.text
    assert is_session_active(console.clients.portal, token)


def test_new_access_data_is_mailed_and_sessions_end(own_console: AccountConsole) -> None:
    sub_user = own_console.account.create_with_own_password()
    token = sub_user.new_token()
    browser = own_console.owner()

    page = browser.submit(confirmation_page(browser, sub_user))

    assert page.path == "/sub-users"
    assert page.success_message.startswith(f"We're sending new access data to {sub_user.email}.")
    assert not is_session_active(own_console.clients.portal, token)
    password = mailed_password(deliver_mails(own_console.clients.service)[-1])
    assert sub_user.log_in(password=password).status_code == 201


def test_link_is_mailed_instead_of_a_password(own_console: AccountConsole) -> None:
    """The next time, the page suggests a link again."""
    sub_user = own_console.account.create_with_own_password()
    browser = own_console.owner()
    page = confirmation_page(browser, sub_user)
    assert page.find("input[name=credentials][checked]")["value"] == "password"

    browser.submit(page, credentials="link")

    mails = [plain_text(mail) for mail in deliver_mails(own_console.clients.service)]
    assert sum("/invitation/" in mail for mail in mails) == 1
    assert sub_user.fetch()["credentials"] == "link"
    page = confirmation_page(browser, sub_user)
    assert page.find("input[name=credentials][checked]")["value"] == "link"
    browser.submit(page, credentials="password")
    assert sub_user.fetch()["credentials"] == "password"


def test_access_data_for_an_expired_sub_user_is_refused(console: AccountConsole) -> None:
    """The access expired before or after the form was opened."""
    sub_user = console.account.create_active()
    browser = console.owner()
    form = confirmation_page(browser, sub_user)
    sub_user.change(access_expires_at="2020-01-01T00:00:00Z")
    before = sub_user.fetch()

    for page in (browser.submit(form), confirmation_page(browser, sub_user)):
        assert page.status == 409
        assert page.find("main .notice.warning").text.startswith("The access of Grace Hopper has expired")
    assert sub_user.fetch() == before


def test_access_data_for_an_inactive_sub_user_is_refused(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()

    page = confirmation_page(console.owner(), sub_user)

    assert page.status == 409
    assert page.find("main .notice.warning").text.startswith("Grace Hopper is inactive")
    assert page.find('main a[href*="/edit?"]')
    assert not page.soup.select("main form")


def test_access_data_is_refused_after_concurrent_deactivation(console: AccountConsole) -> None:
    sub_user = console.account.create_active()
    browser = console.owner()
    form = confirmation_page(browser, sub_user)
    sub_user.change(status="inactive")

    page = browser.submit(form)

    assert page.status == 409
    assert page.find("main .notice.warning").text.startswith("Grace Hopper is inactive")


def test_access_data_for_a_deleted_sub_user_returns_404(console: AccountConsole) -> None:
    sub_user = console.account.create_active()
    browser = console.owner()
    form = confirmation_page(browser, sub_user)
    console.clients.portal.delete(sub_user.path)

    for page in (browser.submit(form), confirmation_page(browser, sub_user)):
        assert (page.status, page.find("h1").text) == (404, "Sub-user not found")


def test_send_again_form_without_csrf_token_is_refused(console: AccountConsole) -> None:
    sub_user = console.account.create_active()
    token = sub_user.new_token()
    browser = console.owner()

    assert browser.submit(confirmation_page(browser, sub_user), leave_out=("csrf",)).status == 403
    assert is_session_active(console.clients.portal, token)


def test_access_data_for_a_sub_user_of_another_account_returns_404(console: AccountConsole, new_console: Any) -> None:
    sub_user = console.account.create_active()
    browser = new_console().owner()
    token = str(browser.get("/sub-users/new").find("main input[name=csrf]")["value"])

    assert confirmation_page(browser, sub_user).status == 404
    assert browser.post(f"/sub-users/{sub_user.sub_user_id}/send-again", {"csrf": token}).status == 404


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Too many emails with access data were sent in the last hour. Nothing was changed."),
        ("it", "Nell'ultima ora sono state inviate troppe email con dati di accesso. Non è stato cambiato nulla."),
    ],
)
def test_throttled_access_data_mail_returns_retry_after(
    new_console: Callable[..., AccountConsole], language: str, sentence: str
) -> None:
    """This holds for the "send again" page and for an edit form with a new password."""
    console = new_console(language=language)
    sub_user = console.account.create_active()
    for _ in range(4):
        console.account.portal.post(f"{sub_user.path}/credentials-mail")
    browser = console.owner()

    page = browser.submit(browser.get(f"/sub-users/{sub_user.sub_user_id}/send-again"))
    assert page.status == 429
    assert sentence in page.find(".notice.warning[role=alert]").text
    assert int(page.response.headers["Retry-After"]) > 3500

    form = browser.get(f"/sub-users/{sub_user.sub_user_id}/edit")
    page = browser.submit(form, name="Ada", password="another phrase for now")
    assert page.status == 429
    assert sentence in page.find(".notice.warning[role=alert]").text
    assert page.find("#name")["value"] == "Ada"
    assert sub_user.fetch()["name"] == "Grace"
