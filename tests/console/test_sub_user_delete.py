"""Deleting sub-users in the console: confirmation and concurrent changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.api.clients import is_session_active

if TYPE_CHECKING:
    from tests.api.clients import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole


def confirmation_page(browser: Browser, sub_user: SubUser) -> Page:
    page = browser.get(f"/sub-users/{sub_user.sub_user_id}/delete")
    assert page.status == 200, page.text
    return page


def test_deletion_requires_confirmation(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user(name="<i>Grace</i>")

    page = confirmation_page(console.owner(), sub_user)

    assert page.find("h1").text == "Delete <i>Grace</i> Hopper?"
    assert sub_user.email in page.text
    assert "This is permanent and can't be undone" in page.text
    assert not page.soup.select("main i")
    assert sub_user.fetch()


def test_confirmed_deletion_removes_the_sub_user_and_ends_all_sessions(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    token = sub_user.new_token()
    browser = console.owner()

    page = browser.submit(confirmation_page(browser, sub_user))

    assert page.path == "/sub-users"
    assert page.success_message.startswith("Deleted. Grace Hopper no longer has access")
    assert "0 of 10 places" in page.text
    assert console.clients.portal.get(sub_user.path).status_code == 404
    assert not is_session_active(console.clients.portal, token)


def test_email_of_a_deleted_sub_user_can_be_reused(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    browser.submit(confirmation_page(browser, sub_user))

    assert console.account.create_sub_user(email=sub_user.email).fetch()


def test_concurrent_change_requires_confirmation_again(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    form = confirmation_page(browser, sub_user)
    sub_user.change(surname="Murray")

    second_page = browser.submit(form)

    assert second_page.status == 409
    assert second_page.find("main .notice.warning").text.startswith("This sub-user changed while you were looking.")
    assert second_page.find("h1").text == "Delete Grace Murray?"
    assert sub_user.fetch()
    assert browser.submit(second_page).success_message.startswith("Deleted. Grace Murray")


def test_deletion_without_a_revision_is_refused(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()

    assert browser.submit(confirmation_page(browser, sub_user), leave_out=("revision",)).status == 409
    assert sub_user.fetch()


def test_deleting_twice_returns_404(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    form = confirmation_page(browser, sub_user)
    browser.submit(form)

    for page in (browser.submit(form), browser.get(form.path)):
        assert (page.status, page.find("h1").text) == (404, "Sub-user not found")


def test_delete_form_without_csrf_token_is_refused(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()

    assert browser.submit(confirmation_page(browser, sub_user), leave_out=("csrf",)).status == 403
    assert sub_user.fetch()


def test_sub_user_of_another_account_cannot_be_deleted(console: AccountConsole, new_console: Any) -> None:
    sub_user = console.account.create_sub_user()
    browser = new_console().owner()
    token = str(browser.get("/sub-users/new").find("main input[name=csrf]")["value"])
    path = f"/sub-users/{sub_user.sub_user_id}/delete"

    assert browser.get(path).status == 404
    assert browser.post(path, {"csrf": token, "revision": "1"}).status == 404
    assert sub_user.fetch()


def test_sub_user_cannot_open_the_delete_page(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    browser = console.sub_user(sub_user)

    assert browser.get(f"/sub-users/{sub_user.sub_user_id}/delete").status == 403
