"""Login forms of the console for owners and sub-users, and logout."""

from __future__ import annotations

import ipaddress
import re
from email import message_from_bytes, policy
from itertools import count
from typing import TYPE_CHECKING

import pytest

from adapters.passwords import Argon2Passwords
from api.http import refusal_timing
from api.http.refusal_timing import REFUSAL_INTERVAL_SECONDS
from api.server.response_timing import arrived_at
from application.errors import TooBusy
from tests.api.clients import OWN_PASSWORD, TEMPORARY_PASSWORD, is_session_active
from tests.console.conftest import OWNER_PASSWORD
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.conftest import TravelingClock
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole

WRONG_PASSWORD = "not what it is at all"
addresses = count(int(ipaddress.ip_address("2001:db8:a::1")), 2**64)
"""Failed logins come from a new network each time, so that throttling does not affect other tests."""


def browser_in_new_network(console: AccountConsole, language: str = "en") -> Browser:
    return console.browser(language=language, address=str(ipaddress.ip_address(next(addresses))))


def first_redirect(page: Page) -> str:
    """Return the URL of the first redirect that led to the page."""
    return str(page.response.history[0].headers["Location"])


def test_owner_login_leads_to_the_sub_user_list(console: AccountConsole) -> None:
    page = console.browser().log_in(console.account.email, OWNER_PASSWORD)

    assert (page.status, page.path) == (200, "/sub-users")


def test_sub_user_login_leads_to_the_profile(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    page = console.browser().log_in_as_sub_user(console.account.email, sub_user.email, OWN_PASSWORD)

    assert (page.status, page.path) == (200, "/profile")


def test_link_in_the_access_data_mail_opens_the_sub_user_tab(own_console: AccountConsole) -> None:
    own_console.account.create_active()
    service = own_console.clients.service
    eventually(service.workers.mailer.send_next)
    (mail,) = service.settings.mail_folder.glob("*.eml")
    text = message_from_bytes(mail.read_bytes(), policy=policy.default).get_body(("plain",))
    assert text is not None
    link = re.search(r"https://portal\.example(\S+)", text.get_content())
    assert link is not None
    assert own_console.browser().get(link[1]).find(".tabs a[aria-current]").text == "SUB-USER"


@pytest.mark.parametrize(("language", "button"), [("en", "LOGIN AS SUB-USER"), ("it", "ACCEDI COME SUB-USER")])
def test_sub_user_tab_has_three_fields(console: AccountConsole, language: str, button: str) -> None:
    page = console.browser(language=language).get("/login?as=sub-user")

    names = [str(field["name"]) for field in page.form().select("input:not([type=hidden])")]
    assert names == ["account_email", "email", "password"]
    assert page.form().select("button")[-1].text == button
    assert page.find(".tabs a[aria-current]").text == "SUB-USER"
    assert page.find("html")["lang"] == language


def test_refused_login_shows_the_form_without_the_password(console: AccountConsole) -> None:
    """The form keeps its URL, so that the page can be reloaded."""
    sub_user = console.account.create_with_own_password()
    page = browser_in_new_network(console).log_in_as_sub_user(console.account.email, sub_user.email, WRONG_PASSWORD)

    assert (page.status, page.path) == (401, "/login?as=sub-user")
    assert "Check the three fields" in page.find(".notice.wrong[role=alert]").text
    assert page.find("#account_email")["value"] == console.account.email
    assert page.find("#email")["value"] == sub_user.email
    assert WRONG_PASSWORD not in page.response.text


def test_refused_logins_are_indistinguishable(console: AccountConsole) -> None:
    """Only the submitted values in the form differ."""
    active, inactive = console.account.create_with_own_password(), console.account.create_with_own_password()
    inactive.change(status="inactive")
    credentials = [
        (console.account.email, active.email, WRONG_PASSWORD),
        (console.account.email, inactive.email, OWN_PASSWORD),
        (console.account.email, "nobody@company.example", OWN_PASSWORD),
        ("nobody@company.example", active.email, OWN_PASSWORD),
        ("no address", "none either", OWN_PASSWORD),
    ]
    pages = [browser_in_new_network(console).log_in_as_sub_user(*values) for values in credentials]
    assert {page.status for page in pages} == {401}
    assert len({page.text for page in pages}) == 1
    assert {frozenset(page.response.headers.keys()) for page in pages} == {frozenset(pages[0].response.headers.keys())}

    owner_pages = [
        browser_in_new_network(console).log_in(email, WRONG_PASSWORD)
        for email in (console.account.email, "nobody@x.example")
    ]
    assert {page.status for page in owner_pages} == {401}
    assert len({page.text for page in owner_pages}) == 1


@pytest.mark.parametrize("as_sub_user", [False, True])
def test_empty_login_field_is_reported(console: AccountConsole, *, as_sub_user: bool) -> None:
    browser = console.browser()
    page = browser.submit(browser.get(f"/login{'?as=sub-user' if as_sub_user else ''}"), password=OWN_PASSWORD)

    assert page.status == 422
    assert page.error("email") == "Fill this in."
    assert page.error("account_email") == ("Fill this in." if as_sub_user else "")
    assert page.error("password") == ""


@pytest.mark.parametrize("value", ["\0", "a\0b@x.example", "x" * 10_000, "<b>x</b>@x.example", "\u202e@x", "a@b\r\nc"])
def test_hostile_login_values_are_refused_and_escaped(console: AccountConsole, value: str) -> None:
    for email, password in ((value, WRONG_PASSWORD), (console.account.email, value)):
        page = browser_in_new_network(console).log_in(email, password)
        assert page.status in {401, 422}
        assert "<b>x" not in page.response.text


def test_invalid_utf_8_in_the_login_form_is_refused(console: AccountConsole) -> None:
    """Percent-encoded bytes fail the login; raw bytes make the form unparsable."""
    browser = browser_in_new_network(console)
    token = browser.get("/login").find("main input[name=csrf]")["value"]
    for raw, status in ((b"%ED%A0%80", 401), (b"%FF%FE", 401), (b"\xed\xa0\x80", 403)):
        body = f"csrf={token}&password=x&email=".encode() + raw
        page = browser.post("/login", body)
        assert page.status == status


def test_throttled_login_shows_the_form_with_retry_after(own_console: AccountConsole, clock: TravelingClock) -> None:
    clock.freeze()
    browser = own_console.browser()
    for _ in range(5):
        assert browser.log_in(own_console.account.email, WRONG_PASSWORD).status == 401
    page = browser.log_in(own_console.account.email, OWNER_PASSWORD)

    assert page.status == 429
    seconds = int(page.response.headers["Retry-After"])
    assert f"Try again in {seconds} seconds" in page.find(".notice.warning[role=alert]").text or seconds == 1
    assert page.find("#email")["value"] == own_console.account.email


def test_overload_shows_the_login_form_with_retry_after(
    console: AccountConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_busy(*_: object) -> bool:
        raise TooBusy

    monkeypatch.setattr(Argon2Passwords, "verify", too_busy)
    page = console.browser(language="it").log_in(console.account.email, OWNER_PASSWORD)

    assert (page.status, page.response.headers["Retry-After"]) == (503, "1")
    assert page.find(".notice.warning").text.endswith("Riprova tra un secondo.")


def test_login_page_shows_the_current_user_and_a_logout_button(console: AccountConsole) -> None:
    browser = console.owner()
    page = browser.get("/login?as=sub-user")
    assert page.find("h1").text == "You're logged in"
    assert console.account.email in page.text

    token = str(page.find("main form[action='/logout'] [name=csrf]")["value"])
    page = browser.post("/logout", {"csrf": token})
    assert (page.status, page.success_message) == (200, "You're logged out.")

    sub_user = console.account.create_with_own_password(name="<i>Zoë</i>")
    page = console.sub_user(sub_user).get("/login")
    assert f"<i>Zoë</i> Hopper ({sub_user.email})" in page.text


def test_logout_ends_the_session_and_deletes_the_cookie(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    browser = console.sub_user(sub_user)
    token = browser.cookie("session") or ""
    assert is_session_active(console.clients.portal, token)

    page = browser.submit(browser.get("/profile"), "/logout")

    assert (page.path, page.success_message) == ("/login?as=sub-user", "You're logged out.")
    assert browser.cookie("session") is None
    assert not is_session_active(console.clients.portal, token)
    assert browser.get("/profile").path.startswith("/login?why=first")


def test_each_login_opens_a_new_session(console: AccountConsole) -> None:
    """Sessions in other browsers stay open."""
    sub_user = console.account.create_with_own_password()
    first, second = console.sub_user(sub_user), console.sub_user(sub_user)

    assert first.cookie("session") != second.cookie("session")
    assert first.get("/profile").path == second.get("/profile").path == "/profile"


def test_login_replaces_a_planted_session_cookie(console: AccountConsole) -> None:
    """This prevents session fixation."""
    browser = console.browser()
    browser.set_cookie("__Host-subusers-session", "planted")
    browser.log_in(console.account.email, OWNER_PASSWORD)

    assert browser.cookie("session") not in {None, "planted"}


def test_login_redirects_to_the_requested_page(console: AccountConsole) -> None:
    """The page keeps its query string, on both tabs."""
    sub_user = console.account.create_with_own_password()
    browser = console.browser()
    page = browser.get("/colleagues?cursor=")
    assert page.text.startswith("Log in Log in to see this page.")
    page = browser.get(str(page.find(".tabs a:last-child")["href"]))
    page = browser.submit(page, account_email=console.account.email, email=sub_user.email, password=OWN_PASSWORD)

    assert page.path == "/colleagues?cursor="


def test_login_ignores_a_requested_page_of_another_audience(console: AccountConsole) -> None:
    """An owner who logs in after a sub-user's session ended starts at the sub-user list."""
    browser = console.browser()
    page = browser.submit(browser.get("/profile"), email=console.account.email, password=OWNER_PASSWORD)
    assert (page.status, page.path) == (200, "/sub-users")

    sub_user = console.account.create_active()
    browser = console.browser()
    form = browser.get("/login?as=sub-user&next=/colleagues")
    page = browser.submit(form, account_email=console.account.email, email=sub_user.email, password=TEMPORARY_PASSWORD)
    assert (page.status, page.path, first_redirect(page)) == (200, "/password", "/")


@pytest.mark.parametrize(
    "next_path",
    [
        "https://evil.example/account",
        "//evil.example/account",
        "///evil.example/account",
        "//account",
        "//account?on=evil.example",
        "///account",
        "/\\account",
        "/\\evil.example",
        "\\\\evil.example",
        "/account\\..\\..",
        "http:/account",
        "javascript:alert(1)",
        "/account\r\nSet-Cookie: a=b",
        "/account?a\r\nSet-Cookie:%20a=b",
        "/account%0d%0aSet-Cookie:%20a=b",
        "/\t/evil.example",
        " //evil.example",
        "/@evil.example",
        "account",
        "/\uff0fevil.example",
        "/account\u2028",
        "/account\u0000",
        "/v1/accounts",
        "/docs",
        "/logout",
        "/no-such-page",
        "/account/../../../evil",
        "x" * 10_000,
    ],
)
def test_login_redirects_only_to_known_pages(console: AccountConsole, next_path: str) -> None:
    """These are GET pages of the console that the user may open."""
    browser = console.browser()
    token = str(browser.get("/login").find("main input[name=csrf]")["value"])
    form = {"csrf": token, "email": console.account.email, "password": OWNER_PASSWORD, "next": next_path}
    page = browser.post("/login", form)

    assert first_redirect(page) == "/"
    assert page.path == "/sub-users"


@pytest.mark.usefixtures("refusals_delayed")
def test_refused_login_is_delayed_as_in_the_api(console: AccountConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for owners and sub-users, whether they exist or not."""
    delays: list[float] = []
    monkeypatch.setattr(
        refusal_timing, "hold_response_until", lambda environ, at: delays.append(at - arrived_at(environ))
    )
    sub_user = console.account.create_with_own_password()
    for account_email in (console.account.email, "nobody@company.example"):
        assert browser_in_new_network(console).log_in(account_email, WRONG_PASSWORD).status == 401
        assert (
            browser_in_new_network(console).log_in_as_sub_user(account_email, sub_user.email, WRONG_PASSWORD).status
            == 401
        )
    assert len(delays) == 4
    multiples = [seconds / REFUSAL_INTERVAL_SECONDS for seconds in delays]
    assert multiples == pytest.approx([max(1, round(multiple)) for multiple in multiples])
