"""Pages of the links that are mailed when an account's e-mail changes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.builders import deliver_mails, mailed_token
from tests.console.conftest import OWNER_PASSWORD

if TYPE_CHECKING:
    from tests.console.conftest import AccountConsole


def request_email(console: AccountConsole, email: str) -> str:
    """Request another e-mail, and return the path of the link that was mailed there."""
    assert console.account.portal.patch(console.account.path, json={"email": email}).status_code == 200
    return f"/email-confirmation/{token_mailed_to(console, email)}"


def token_mailed_to(console: AccountConsole, email: str) -> str:
    mails = deliver_mails(console.clients.service)
    return mailed_token([mail for mail in mails if mail["To"].addresses[0].addr_spec == email][-1])


def new_email() -> str:
    return f"new-{uuid4().hex[:8]}@company.example"


def test_link_confirms_and_another_one_restores(console: AccountConsole) -> None:
    email, browser = new_email(), console.browser()
    path = request_email(console, email)
    page = browser.get(path)
    assert page.find("h1").text == "Confirm your email address"
    assert page.response.headers["Referrer-Policy"] == "no-referrer"

    confirmed = browser.submit(page)

    assert confirmed.path == "/login"
    assert "is confirmed" in confirmed.success_message
    assert browser.log_in(email, OWNER_PASSWORD).path == "/sub-users"
    other = console.browser()
    gone = other.submit(other.get(path))
    assert (gone.status, gone.find("h1").text) == (410, "This link no longer works")

    undo_page = other.get(f"/email-undo/{token_mailed_to(console, console.account.email)}")
    assert undo_page.find("h1").text == "Restore your email address"
    undone = other.submit(undo_page)
    assert "restored" in undone.success_message
    assert browser.get("/account").path.startswith("/login?why=ended")
    assert console.browser().log_in(email, OWNER_PASSWORD).status == 401
    assert console.owner().get("/account").status == 200


def test_account_page_shows_the_email_that_waits(console: AccountConsole) -> None:
    email = new_email()
    path = request_email(console, email)
    owner = console.owner()
    assert f"{email} has to be confirmed" in owner.get("/account").text.replace("\u2068", "").replace("\u2069", "")
    console.browser().get(path)
    browser = console.browser()
    browser.submit(browser.get(path))
    assert "has to be confirmed" not in owner.get("/account").text


def test_opening_the_pages_spends_nothing(console: AccountConsole) -> None:
    """1,000 GET and HEAD requests, as mail scanners send them."""
    email, browser = new_email(), console.browser()
    path = request_email(console, email)
    client = console.clients.app.test_client()
    for number in range(500):
        assert client.open(path, method="HEAD").status_code == 200
        assert client.get(f"{path}?scanner={number}").status_code == 200
    assert "is confirmed" in browser.submit(browser.get(path)).success_message
    undo_path = f"/email-undo/{token_mailed_to(console, console.account.email)}"
    for _ in range(500):
        assert client.open(undo_path, method="HEAD").status_code == 200
        assert client.get(undo_path).status_code == 200
    assert "restored" in browser.submit(browser.get(undo_path)).success_message


def test_page_does_not_reveal_whether_a_link_is_valid(console: AccountConsole) -> None:
    """The page of an unknown link is the same, and its button does nothing."""
    page = console.browser().get(request_email(console, new_email()))
    for kind in ("email-confirmation", "email-undo"):
        browser = console.browser()
        unknown = browser.get(f"/{kind}/unknown")
        assert unknown.status == 200
        assert browser.submit(unknown).status == 410
    assert console.browser().get("/email-confirmation/unknown").text == page.text


def test_form_needs_the_csrf_token(console: AccountConsole) -> None:
    browser = console.browser()
    path = request_email(console, new_email())
    assert browser.post(path, {}).status == 403
    assert browser.submit(browser.get(path), csrf="made up").status == 403
    assert browser.submit(browser.get(path)).path == "/login"


@pytest.mark.parametrize(("language", "title"), [("en", "could not be changed"), ("it", "Non è stato possibile")])
def test_email_that_another_account_has_meanwhile(console: AccountConsole, language: str, title: str) -> None:
    email = new_email()
    path = request_email(console, email)
    console.clients.register_account(email=email)
    browser = console.browser(language=language)
    page = browser.submit(browser.get(path))
    assert page.status == 409
    assert title in page.find("h1").text
