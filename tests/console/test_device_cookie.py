"""The console's device cookie: new for each person in each browser, and useless to anybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.console.device_cookie import MAX_PEOPLE
from tests.api.clients import OWN_PASSWORD
from tests.console.conftest import OWNER_PASSWORD

if TYPE_CHECKING:
    from tests.api.clients import SubUser
    from tests.console.conftest import AccountConsole

COOKIE = "__Host-subusers-device"


def new_devices(console: AccountConsole, sub_user: SubUser | None = None) -> int:
    """Return how often a person, by default the owner, has signed in from a new device."""
    sub_user_id = sub_user.sub_user_id if sub_user is not None else None
    rows = console.account.audit_log_rows(action="person.new_device_signed_in")
    return sum(row["sub_user_id"] == sub_user_id for row in rows)


def test_browser_is_new_once_for_each_person(console: AccountConsole) -> None:
    """The cookie outlasts the session, and the browser can be shared."""
    browser, sub_user = console.browser(), console.account.create_with_own_password()
    for _ in range(2):
        browser.log_in(console.account.email, OWNER_PASSWORD)
        browser.submit(browser.get("/account"), "/logout")
        browser.log_in_as_sub_user(console.account.email, sub_user.email, OWN_PASSWORD)
        browser.submit(browser.get("/profile"), "/logout")
        assert (new_devices(console), new_devices(console, sub_user)) == (1, 1)
    console.owner()
    assert (new_devices(console), new_devices(console, sub_user)) == (2, 1)


def test_cookie_lasts_and_is_hidden_from_scripts(console: AccountConsole) -> None:
    browser = console.browser()
    page = browser.get("/login")
    form = {"csrf": str(page.soup.select("main input[name=csrf]")[0]["value"])}
    response = browser.post("/login", {**form, "email": console.account.email, "password": OWNER_PASSWORD}).response
    (cookie,) = [
        header
        for answer in (response, *response.history)
        for header in answer.headers.getlist("Set-Cookie")
        if header.startswith(COOKIE)
    ]
    for attribute in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/", f"Max-Age={400 * 24 * 3600}"):
        assert attribute in cookie


def test_refused_login_sets_no_cookie(console: AccountConsole) -> None:
    browser = console.browser()
    browser.log_in(console.account.email, "a wrong password")
    assert browser.cookie("device") is None


def test_cookie_of_another_person_is_a_new_device(console: AccountConsole) -> None:
    """Otherwise an attacker could plant their own, and sign in as the victim from a device that is known."""
    attacker, victim = (console.account.create_with_own_password() for _ in range(2))
    attackers_cookie = console.sub_user(attacker).cookie("device")
    assert attackers_cookie is not None
    browser = console.browser()
    browser.set_cookie(COOKIE, attackers_cookie)
    browser.log_in_as_sub_user(console.account.email, victim.email, OWN_PASSWORD)
    assert new_devices(console, victim) == 1

    attackers_browser = console.browser()
    attackers_browser.set_cookie(COOKIE, attackers_cookie)
    attackers_browser.log_in_as_sub_user(console.account.email, victim.email, OWN_PASSWORD)
    assert new_devices(console, victim) == 2


@pytest.mark.parametrize(
    "forged", ["", "~", ".", "a.b", "~" * 1000, "a" * 3000, "\u00e9.\u00e9", "..", "a.b~" * 100, "\ud800"]
)
def test_forged_cookie_is_a_new_device(console: AccountConsole, forged: str) -> None:
    sub_user = console.account.create_with_own_password()
    browser = console.browser()
    browser.set_cookie(COOKIE, forged.encode("utf-8", "surrogatepass").decode("latin-1"))
    page = browser.log_in_as_sub_user(console.account.email, sub_user.email, OWN_PASSWORD)
    assert page.status == 200
    assert new_devices(console, sub_user) == 1


def test_cookie_keeps_the_last_people(console: AccountConsole) -> None:
    browser = console.browser()
    people = [console.account.create_with_own_password() for _ in range(MAX_PEOPLE - 1)]
    for person in people:
        browser.log_in_as_sub_user(console.account.email, person.email, OWN_PASSWORD)
        browser.submit(browser.get("/profile"), "/logout")
    for _ in range(2):
        browser.log_in(console.account.email, OWNER_PASSWORD)
        browser.submit(browser.get("/account"), "/logout")
    cookie = browser.cookie("device") or ""
    assert len(cookie.split("~")) == MAX_PEOPLE
    assert len(cookie) < 2000
    browser.log_in_as_sub_user(console.account.email, people[0].email, OWN_PASSWORD)
    assert new_devices(console, people[0]) == 1


def test_first_browser_after_a_temporary_password_is_not_told(console: AccountConsole) -> None:
    sub_user, browser = console.account.create_active(), console.browser()
    browser.log_in_as_sub_user(console.account.email, sub_user.email, sub_user.password)
    page = browser.get("/password")
    page = browser.submit(page, current_password=sub_user.password, new_password=OWN_PASSWORD)
    assert page.path == "/profile"
    browser.submit(page, "/logout")
    browser.log_in_as_sub_user(console.account.email, sub_user.email, OWN_PASSWORD)
    assert new_devices(console, sub_user) == 0
