"""Access to the console: refused pages, ended sessions and security headers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.console.pages import CONTENT_SECURITY_POLICY
from tests.api.clients import TEMPORARY_PASSWORD

if TYPE_CHECKING:
    from tests.conftest import TravelingClock
    from tests.console.browsing import Page
    from tests.console.conftest import AccountConsole

ENDED = "Your session has ended. Log in again."


def require_sent_to_login(page: Page) -> None:
    assert (page.status, page.path.partition("&")[0]) == (200, "/login?why=ended"), page.text
    assert ENDED in page.text


@pytest.mark.parametrize("change", ["deactivated", "deleted", "expired", "reset", "sessions ended", "account closed"])
def test_withdrawn_access_takes_effect_on_the_next_request(console: AccountConsole, change: str) -> None:
    """This holds for submitted forms too."""
    sub_user = console.account.create_with_own_password()
    browser = console.sub_user(sub_user)
    page = browser.get("/profile")
    portal = console.clients.portal
    match change:
        case "deactivated":
            sub_user.change(status="inactive")
        case "deleted":
            portal.delete(sub_user.path)
        case "expired":
            sub_user.change(access_expires_at="2020-01-01T00:00:00Z")
        case "reset":
            sub_user.change(password="a new phrase for now")
        case "sessions ended":
            portal.delete(f"{sub_user.path}/sessions")
        case _:
            portal.delete(console.account.path)

    require_sent_to_login(browser.submit(page, "/logout"))
    require_sent_to_login(browser.get("/profile"))
    require_sent_to_login(browser.get("/colleagues?cursor=x"))


def test_owner_form_is_ignored_after_the_session_ended(console: AccountConsole) -> None:
    """The response leads to the login, not to the page for expired forms."""
    browser = console.owner()
    form = browser.get("/account")
    console.account.portal.patch(console.account.path, json={"password": "another one for the owner"})
    rows = console.account.audit_log_rows()

    require_sent_to_login(browser.submit(form, "/account", language="it"))
    assert console.account.audit_log_rows() == rows


def test_form_without_session_cookie_leads_to_the_login(console: AccountConsole) -> None:
    """Browsers delete the cookie when the longest session has ended. The form is ignored."""
    form = console.owner().get("/account")
    rows = console.account.audit_log_rows()

    require_sent_to_login(console.browser().submit(form, "/account", language="it"))
    assert console.account.audit_log_rows() == rows


def test_owner_session_ends_after_an_hour_of_inactivity(own_console: AccountConsole, clock: TravelingClock) -> None:
    browser = own_console.owner()
    clock.advance(minutes=59)
    assert browser.get("/account").status == 200
    clock.advance(minutes=61)
    require_sent_to_login(browser.get("/account"))


def test_login_after_an_ended_session_returns_to_the_page(console: AccountConsole) -> None:
    browser = console.owner()
    console.account.portal.patch(console.account.path, json={"password": "another one for the owner"})
    page = browser.get("/account")
    page = browser.submit(page, email=console.account.email, password="another one for the owner")

    assert (page.status, page.path) == (200, "/account")


def test_htmx_request_without_session_receives_a_redirect_header(console: AccountConsole) -> None:
    """The script would insert a login page into the current page."""
    page = console.browser().get("/account", {"HX-Request": "true"})

    assert (page.status, page.response.data) == (204, b"")
    assert page.response.headers["HX-Redirect"] == "/login?why=first&next=/account"


def test_page_of_another_audience_explains_the_refusal(console: AccountConsole) -> None:
    page = console.sub_user(language="en").get("/sub-users")
    assert (page.status, page.find("h1").text) == (403, "Only for the main account")
    assert page.find("main a")["href"] == "/"

    page = console.owner().get("/profile")
    assert (page.status, page.find("h1").text) == (403, "Only for sub-users")


def test_owner_pages_reveal_nothing_to_sub_users(console: AccountConsole) -> None:
    """Neither the existence nor the name of a sub-user is revealed."""
    sub_user, other = console.account.create_with_own_password(), console.account.create_sub_user(name="Unmistakable")
    browser = console.sub_user(sub_user)
    ids = (other.sub_user_id, sub_user.sub_user_id, uuid4())
    paths = [f"/sub-users/{sub_user_id}/edit" for sub_user_id in ids]
    pages = [browser.get(path) for path in paths]

    assert {page.status for page in pages} == {403}
    assert not any("Unmistakable" in page.response.text for page in pages)


@pytest.mark.parametrize("token", ["", "x", "é", "x" * 3000, "%00", '"quoted; path=/"'])
def test_unknown_session_token_leads_to_the_login(console: AccountConsole, token: str) -> None:
    browser = console.browser()
    browser.set_cookie("__Host-subusers-session", token)
    page = browser.get("/account")

    assert (page.status, page.path.partition("?")[0]) == (200, "/login")


def test_owner_session_is_bound_to_one_account(console: AccountConsole) -> None:
    """URLs contain no account id."""
    other = console.register(console.clients)
    assert other.account.email not in console.owner().get("/account").text


@pytest.mark.parametrize("path", ["/login", "/preferences", "/account", "/sub-users", "/profile", "/console/link/x"])
def test_every_page_has_security_headers(console: AccountConsole, path: str) -> None:
    """Refusals have them too (ASVS 3.4)."""
    headers = console.owner().get(path).response.headers

    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert headers["Content-Type"] == "text/html; charset=utf-8"


def test_pages_contain_no_inline_scripts_or_styles(console: AccountConsole) -> None:
    """The Content-Security-Policy forbids them."""
    restricted = console.sub_user(console.account.create_active(), password=TEMPORARY_PASSWORD)
    pages = [
        console.browser().get("/login"),
        restricted.get("/password"),
        console.sub_user().get("/profile"),
        console.sub_user().get("/colleagues"),
        console.owner().get("/account"),
        console.owner().get("/preferences"),
        console.owner().get("/account/password"),
        console.owner().get("/console/link/x"),
    ]
    for page in pages:
        assert all(script.get("src") and not script.text for script in page.soup.select("script")), page.path
        assert not page.soup.select("style, [style], [onclick], [onsubmit], [onload], [onchange]"), page.path
