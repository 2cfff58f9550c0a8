"""What becomes of whoever is not, or no longer, whom a page is for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.console.pages import POLICY
from tests.api.callers import TEMPORARY

if TYPE_CHECKING:
    from tests.conftest import TravelingClock
    from tests.console.browsing import Page
    from tests.console.conftest import House

ENDED = "Your session has ended. Log in again."


def require_sent_to_login(page: Page) -> None:
    assert (page.status, page.path.partition("&")[0]) == (200, "/login?why=ended"), page.text
    assert ENDED in page.text


@pytest.mark.parametrize("how", ["deactivated", "deleted", "expired", "reset", "sessions ended", "account closed"])
def test_access_that_is_withdrawn_is_gone_with_the_next_click(house: House, how: str) -> None:
    """Whatever was open; a form that is sent does nothing."""
    one = house.account.let_in_settled()
    browser = house.sub_user(one)
    page = browser.get("/profile")
    portal = house.doors.portal
    match how:
        case "deactivated":
            one.change(active=False)
        case "deleted":
            portal.delete(one.path)
        case "expired":
            one.change(access_expires_at="2020-01-01T00:00:00Z")
        case "reset":
            one.change(password="a new phrase for now")
        case "sessions ended":
            portal.delete(f"{one.path}/sessions")
        case _:
            portal.delete(house.account.path)

    require_sent_to_login(browser.submit(page, "/logout"))
    require_sent_to_login(browser.get("/profile"))
    require_sent_to_login(browser.get("/colleagues?cursor=x"))


def test_an_owner_s_form_does_nothing_once_the_session_has_ended(house: House) -> None:
    """It leads to the login instead of a page that says that the form is too old."""
    browser = house.owner()
    form = browser.get("/account")
    house.account.portal.patch(house.account.path, json={"password": "another one for the owner"})
    rows = house.account.rows()

    require_sent_to_login(browser.submit(form, "/account", language="it"))
    assert house.account.rows() == rows


def test_a_session_ends_by_itself(own_house: House, clock: TravelingClock) -> None:
    """After an hour without use."""
    browser = own_house.owner()
    clock.advance(minutes=59)
    assert browser.get("/account").status == 200
    clock.advance(minutes=61)
    require_sent_to_login(browser.get("/account"))


def test_after_the_login_they_are_where_they_were(house: House) -> None:
    """The page whose session had ended is shown."""
    browser = house.owner()
    house.account.portal.patch(house.account.path, json={"password": "another one for the owner"})
    page = browser.get("/account")
    page = browser.submit(page, email=house.account.email, password="another one for the owner")

    assert (page.status, page.path) == (200, "/account")


def test_a_piece_of_a_page_is_answered_with_where_to_go(house: House) -> None:
    """Or the login would be put in the middle of a page."""
    page = house.browser().get("/account", {"HX-Request": "true"})

    assert (page.status, page.response.data) == (204, b"")
    assert page.response.headers["HX-Redirect"] == "/login?why=first&next=/account"


def test_whom_a_page_is_not_for_is_told_whose_it_is(house: House) -> None:
    """In their language, with a way back."""
    page = house.sub_user(language="en").get("/sub-users")
    assert (page.status, page.find("h1").text) == (403, "Only for the main account")
    assert page.find("main a")["href"] == "/"

    page = house.owner().get("/profile")
    assert (page.status, page.find("h1").text) == (403, "Only for sub-users")


def test_an_address_of_the_main_account_s_tells_a_sub_user_nothing(house: House) -> None:
    """Neither whether there is such a sub-user nor what they are called."""
    one, other = house.account.let_in_settled(), house.account.let_in(name="Unmistakable")
    browser = house.sub_user(one)
    paths = [f"/sub-users/{id_}/edit" for id_ in (other.sub_user_id, one.sub_user_id, uuid4())]
    pages = [browser.get(path) for path in paths]

    assert {page.status for page in pages} == {403}
    assert not any("Unmistakable" in page.response.text for page in pages)


@pytest.mark.parametrize("token", ["", "x", "é", "x" * 3000, "%00", '"quoted; path=/"'])
def test_a_made_up_session_is_nobody_s(house: House, token: str) -> None:
    """Whatever is in the cookie."""
    browser = house.browser()
    browser.set_cookie("__Host-subusers-session", token)
    page = browser.get("/account")

    assert (page.status, page.path.partition("?")[0]) == (200, "/login")


def test_an_owner_s_session_opens_their_own_account_alone(house: House) -> None:
    """The address never says which account."""
    other = house.of(house.doors)
    assert other.account.email not in house.owner().get("/account").text


@pytest.mark.parametrize("path", ["/login", "/preferences", "/account", "/sub-users", "/profile", "/console/link/x"])
def test_every_page_has_the_headers_that_keep_it_to_itself(house: House, path: str) -> None:
    """Also one that refuses (ASVS 3.4.x)."""
    headers = house.owner().get(path).response.headers

    assert headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert headers["Content-Type"] == "text/html; charset=utf-8"


def test_no_page_holds_a_script_or_a_style_of_its_own(house: House) -> None:
    """The policy would stop it."""
    restricted = house.sub_user(house.account.let_in_active(), password=TEMPORARY)
    pages = [
        house.browser().get("/login"),
        restricted.get("/password"),
        house.sub_user().get("/profile"),
        house.sub_user().get("/colleagues"),
        house.owner().get("/account"),
        house.owner().get("/preferences"),
        house.owner().get("/account/password"),
        house.owner().get("/console/link/x"),
    ]
    for page in pages:
        assert all(script.get("src") and not script.text for script in page.soup.select("script")), page.path
        assert not page.soup.select("style, [style], [onclick], [onsubmit], [onload], [onchange]"), page.path
