"""Logging in through either of two tabs, and logging out."""

from __future__ import annotations

import ipaddress
import re
import threading
from email import message_from_bytes, policy
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.api.callers import OWN, TEMPORARY, is_active
from tests.console.conftest import OWNERS_PASSWORD
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.conftest import TravelingClock
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import House

WRONG = "not what it is at all"
addresses = count(int(ipaddress.ip_address("2001:db8:a::1")), 2**64)
"""Who fails to log in comes from another network each time, so that none is made to wait for what others did."""


def stranger(house: House, language: str = "en") -> Browser:
    return house.browser(language=language, address=str(ipaddress.ip_address(next(addresses))))


def location(page: Page) -> str:
    """Return where the form led to first."""
    return str(page.response.history[0].headers["Location"])


def test_an_owner_logs_in_and_is_led_to_the_sub_users(house: House) -> None:
    """With an e-mail and a password."""
    page = house.browser().log_in(house.account.email, OWNERS_PASSWORD)

    assert (page.status, page.path) == (200, "/sub-users")


def test_a_sub_user_logs_in_and_is_led_to_their_profile(house: House) -> None:
    """With the three things that are in their mail."""
    one = house.account.let_in_settled()
    page = house.browser().log_in_as_sub_user(house.account.email, one.email, OWN)

    assert (page.status, page.path) == (200, "/profile")


def test_the_mail_with_access_data_leads_to_the_tab_of_sub_users(own_house: House) -> None:
    """Which is for whom it is."""
    own_house.account.let_in_active()
    service = own_house.doors.service
    eventually(service.mailing.send_next)
    (mail,) = service.settings.mail_folder.glob("*.eml")
    text = message_from_bytes(mail.read_bytes(), policy=policy.default).get_body(("plain",))
    assert text is not None
    link = re.search(r"https://portal\.example(\S+)", text.get_content())
    assert link is not None
    assert own_house.browser().get(link[1]).find(".tabs a[aria-current]").text == "SUB-USER"


@pytest.mark.parametrize(("language", "button"), [("en", "LOGIN AS SUB-USER"), ("it", "ACCEDI COME SUB-USER")])
def test_the_tab_of_sub_users_has_three_fields(house: House, language: str, button: str) -> None:
    """The mails link to it."""
    page = house.browser(language=language).get("/login?as=sub-user")

    names = [str(field["name"]) for field in page.form().select("input:not([type=hidden])")]
    assert names == ["account_email", "email", "password"]
    assert page.form().select("button")[-1].text == button
    assert page.find(".tabs a[aria-current]").text == "SUB-USER"
    assert page.find("html")["lang"] == language


def test_a_refused_form_is_shown_again_without_the_password(house: House) -> None:
    """At the address where it was, so that it can be reloaded."""
    one = house.account.let_in_settled()
    page = stranger(house).log_in_as_sub_user(house.account.email, one.email, WRONG)

    assert (page.status, page.path) == (401, "/login?as=sub-user")
    assert "one of the three fields is wrong" in page.find(".notice.wrong[role=alert]").text
    assert page.find("#account_email")["value"] == house.account.email
    assert page.find("#email")["value"] == one.email
    assert WRONG not in page.response.text


def test_the_answer_is_the_same_whatever_is_wrong(house: House) -> None:
    """But for what was typed."""
    settled, off = house.account.let_in_settled(), house.account.let_in_settled()
    off.change(active=False)
    tries = [
        (house.account.email, settled.email, WRONG),
        (house.account.email, off.email, OWN),
        (house.account.email, "nobody@company.example", OWN),
        ("nobody@company.example", settled.email, OWN),
        ("no address", "none either", OWN),
    ]
    pages = [stranger(house).log_in_as_sub_user(*tried) for tried in tries]
    assert {page.status for page in pages} == {401}
    assert len({page.text for page in pages}) == 1
    assert {frozenset(page.response.headers.keys()) for page in pages} == {frozenset(pages[0].response.headers.keys())}

    owners = [stranger(house).log_in(*tried) for tried in ((house.account.email, WRONG), ("nobody@x.example", WRONG))]
    assert {page.status for page in owners} == {401}
    assert len({page.text for page in owners}) == 1


@pytest.mark.parametrize("as_sub_user", [False, True])
def test_an_empty_field_is_named(house: House, *, as_sub_user: bool) -> None:
    """Before anything is looked up."""
    browser = house.browser()
    page = browser.submit(browser.get(f"/login{'?as=sub-user' if as_sub_user else ''}"), password=OWN)

    assert page.status == 422
    assert page.error("email") == "Fill this in."
    assert page.error("account_email") == ("Fill this in." if as_sub_user else "")
    assert page.error("password") == ""


@pytest.mark.parametrize(
    "hostile", ["\0", "a\0b@x.example", "x" * 10_000, "<b>x</b>@x.example", "\u202e@x", "a@b\r\nc"]
)
def test_hostile_values_are_refused_like_others(house: House, hostile: str) -> None:
    """And shown as text, if at all."""
    for email, password in ((hostile, WRONG), (house.account.email, hostile)):
        page = stranger(house).log_in(email, password)
        assert page.status in {401, 422}
        assert "<b>x" not in page.response.text


def test_bytes_that_are_no_text_are_refused(house: House) -> None:
    """Half a character, or a byte that begins none; written as they are, they make no form at all."""
    browser = stranger(house)
    token = browser.get("/login").find("main input[name=csrf]")["value"]
    for raw, status in ((b"%ED%A0%80", 401), (b"%FF%FE", 401), (b"\xed\xa0\x80", 403)):
        body = f"csrf={token}&password=x&email=".encode() + raw
        page = browser.post("/login", body)
        assert page.status == status


def test_who_fails_too_often_is_told_how_long_to_wait(own_house: House, clock: TravelingClock) -> None:
    """On the form, not on a page that leads nowhere."""
    clock.stand_still()
    browser = own_house.browser()
    for _ in range(5):
        assert browser.log_in(own_house.account.email, WRONG).status == 401
    page = browser.log_in(own_house.account.email, OWNERS_PASSWORD)

    assert page.status == 429
    seconds = int(page.response.headers["Retry-After"])
    assert f"Try again in {seconds} seconds" in page.find(".notice.warning[role=alert]").text or seconds == 1
    assert page.find("#email")["value"] == own_house.account.email


def test_where_too_many_log_in_the_form_is_shown_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    none_left = threading.BoundedSemaphore(1)
    none_left.acquire()
    monkeypatch.setitem(house.doors.app.extensions, "subusers-login-places", none_left)
    page = house.browser(language="it").log_in(house.account.email, OWNERS_PASSWORD)

    assert (page.status, page.response.headers["Retry-After"]) == (503, "1")
    assert page.find(".notice.warning").text.endswith("Riprova tra un secondo.")


def test_who_is_logged_in_sees_as_whom(house: House) -> None:
    """And goes on, or logs out."""
    browser = house.owner()
    page = browser.get("/login?as=sub-user")
    assert page.find("h1").text == "You are logged in"
    assert house.account.email in page.text

    token = str(page.find("main form[action='/logout'] [name=csrf]")["value"])
    page = browser.post("/logout", {"csrf": token})
    assert (page.status, page.notice) == (200, "You are logged out.")

    one = house.account.let_in_settled(name="<i>Zoë</i>")
    page = house.sub_user(one).get("/login")
    assert f"<i>Zoë</i> Hopper ({one.email})" in page.text


def test_logging_out_ends_the_session(house: House) -> None:
    """Here and in the store; the cookie goes, and so does the way back."""
    one = house.account.let_in_settled()
    browser = house.sub_user(one)
    token = browser.cookie("session") or ""
    assert is_active(house.doors.portal, token)

    page = browser.submit(browser.get("/profile"), "/logout")

    assert (page.path, page.notice) == ("/login?as=sub-user", "You are logged out.")
    assert browser.cookie("session") is None
    assert not is_active(house.doors.portal, token)
    assert browser.get("/profile").path.startswith("/login?why=first")


def test_each_login_opens_another_session(house: House) -> None:
    """And leaves those of other browsers alone."""
    one = house.account.let_in_settled()
    first, second = house.sub_user(one), house.sub_user(one)

    assert first.cookie("session") != second.cookie("session")
    assert first.get("/profile").path == second.get("/profile").path == "/profile"


def test_a_cookie_from_before_the_login_is_not_taken_over(house: House) -> None:
    """A session that somebody else planted stays nobody's."""
    browser = house.browser()
    browser.set_cookie("__Host-subusers-session", "planted")
    browser.log_in(house.account.email, OWNERS_PASSWORD)

    assert browser.cookie("session") not in {None, "planted"}


def test_the_login_leads_to_what_its_visitor_came_for(house: House) -> None:
    """With its query, whichever tab they use."""
    one = house.account.let_in_settled()
    browser = house.browser()
    page = browser.get("/colleagues?cursor=")
    assert page.text.startswith("Log in Log in to see this page.")
    page = browser.get(str(page.find(".tabs a:last-child")["href"]))
    page = browser.submit(page, account_email=house.account.email, email=one.email, password=OWN)

    assert page.path == "/colleagues?cursor="


def test_what_is_for_somebody_else_is_not_what_they_came_for(house: House) -> None:
    """An owner who logs in where a sub-user's session ended begins where owners do."""
    browser = house.browser()
    page = browser.submit(browser.get("/profile"), email=house.account.email, password=OWNERS_PASSWORD)
    assert (page.status, page.path) == (200, "/sub-users")

    one = house.account.let_in_active()
    browser = house.browser()
    form = browser.get("/login?as=sub-user&next=/colleagues")
    page = browser.submit(form, account_email=house.account.email, email=one.email, password=TEMPORARY)
    assert (page.status, page.path, location(page)) == (200, "/password", "/")


@pytest.mark.parametrize(
    "elsewhere",
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
def test_the_login_leads_nowhere_else(house: House, elsewhere: str) -> None:
    """Only to a page of ours, for them, that can be looked at."""
    browser = house.browser()
    token = str(browser.get("/login").find("main input[name=csrf]")["value"])
    form = {"csrf": token, "email": house.account.email, "password": OWNERS_PASSWORD, "next": elsewhere}
    page = browser.post("/login", form)

    assert location(page) == "/"
    assert page.path == "/sub-users"
