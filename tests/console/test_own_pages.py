"""The sub-user's own pages of the console: password, profile and coworkers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.console.account import coworkers
from domain.permission_catalogue import INITIAL_CATALOGUE
from tests.api.clients import OWN_PASSWORD, TEMPORARY_PASSWORD, is_session_active
from tests.console.test_monitoring import report_activities, timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import TravelingClock
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole

NEW_PASSWORD = "another password of my own"


def restricted_browser(console: AccountConsole, **details: str) -> Browser:
    """Return the browser of a sub-user logged in with a temporary password."""
    return console.sub_user(console.account.create_active(**details), password=TEMPORARY_PASSWORD)


def set_password(browser: Browser, current: str, new: str) -> Page:
    return browser.submit(browser.get("/password"), current_password=current, new_password=new)


def test_first_login_requires_a_new_password(console: AccountConsole) -> None:
    browser = restricted_browser(console, name="Zoë")

    for path in ("/", "/profile", "/colleagues", "/sub-users", "/account"):
        page = browser.get(path)
        assert (page.path, page.find("h1").text) == ("/password", "Choose your own password"), path
    page = browser.get("/password")
    assert "Zoë" in page.text
    assert "Temporary password" in page.text
    assert not page.soup.select("header nav a[href='/profile']")


def test_new_password_opens_an_unrestricted_session(console: AccountConsole) -> None:
    """All other sessions end."""
    sub_user = console.account.create_active()
    browser, other_browser = (
        console.sub_user(sub_user, password=TEMPORARY_PASSWORD),
        console.sub_user(sub_user, password=TEMPORARY_PASSWORD),
    )
    old_token = browser.cookie("session") or ""

    page = set_password(browser, TEMPORARY_PASSWORD, OWN_PASSWORD)

    assert (page.path, page.success_message) == (
        "/profile",
        "Password changed. You've been logged out everywhere else.",
    )
    assert browser.cookie("session") != old_token
    assert not is_session_active(console.clients.portal, old_token)
    assert other_browser.get("/password").path == "/login?why=ended&next=/password"
    assert console.sub_user(sub_user, password=OWN_PASSWORD).get("/").path == "/profile"
    assert browser.get("/profile").success_message == ""


def test_sub_user_changes_their_password(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    browser = console.sub_user(sub_user)
    assert browser.get("/password").find("h1").text == "Change your password"

    assert set_password(browser, OWN_PASSWORD, NEW_PASSWORD).path == "/profile"
    assert console.sub_user(sub_user, password=NEW_PASSWORD).get("/").path == "/profile"


@pytest.mark.parametrize(
    ("current", "new", "field", "message"),
    [
        ("", NEW_PASSWORD, "current_password", "Fill this in."),
        (OWN_PASSWORD, "", "new_password", "Fill this in."),
        ("not what it is", NEW_PASSWORD, "current_password", "This is wrong."),
        (OWN_PASSWORD, "too short", "new_password", "Enter 15 to 128 characters."),
        (OWN_PASSWORD, "x" * 10_000, "new_password", "This is empty or too long."),
        (OWN_PASSWORD, "passwordpassword", "new_password", "This is too common or too easy to guess"),
        (OWN_PASSWORD, "grace was here again", "new_password", "Don't use the email address or the name."),
        (OWN_PASSWORD, OWN_PASSWORD, "new_password", "Choose one that differs from the current password."),
        (OWN_PASSWORD, "with a \0 inside of it all", "new_password", "This contains characters that can't be used."),
    ],
)
def test_invalid_new_password_is_reported_at_its_field(
    console: AccountConsole, current: str, new: str, field: str, message: str
) -> None:
    """The refused form shows no password."""
    browser = console.sub_user()
    page = set_password(browser, current, new)

    assert page.status == 422
    assert page.error(field).startswith(message)
    assert page.find(f"#{field}")["aria-invalid"] == "true"
    assert len(page.soup.select(".notice.wrong[role=alert]")) == 1
    assert not page.soup.select("input[type=password][value]")
    assert browser.get("/profile").path == "/profile"


def test_guessing_the_current_password_is_throttled(own_console: AccountConsole, clock: TravelingClock) -> None:
    clock.freeze()
    browser = own_console.sub_user()
    for _ in range(5):
        assert set_password(browser, "not what it is", NEW_PASSWORD).status == 422
    page = set_password(browser, OWN_PASSWORD, NEW_PASSWORD)

    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) > 0
    assert "There were too many failed attempts." in page.find(".notice.warning[role=alert]").text


def test_deactivated_sub_user_is_sent_to_the_login(console: AccountConsole) -> None:
    """This holds for form submissions as well as links."""
    sub_user = console.account.create_with_own_password()
    browser = console.sub_user(sub_user)
    form = browser.get("/password")
    sub_user.change(status="inactive")

    for page in (
        browser.submit(form, current_password=OWN_PASSWORD, new_password=NEW_PASSWORD),
        browser.get("/colleagues"),
        browser.get("/profile"),
    ):
        assert page.path.startswith("/login?why=ended")
        assert "Your session has ended. Log in again." in page.text


def test_profile_shows_account_details_and_permissions(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password(
        name="Maria", surname="<i>Rossi</i>", access_expires_at="2033-05-01T10:00:00Z"
    )
    page = console.sub_user(sub_user).get("/profile")

    assert page.find("h1").text == "Maria <i>Rossi</i>"
    for text in (sub_user.email, console.account.email, "Winds & Waves", "1 May 2033, 10:00", "See statistics"):
        assert text in page.text
    assert page.find("header a[aria-current=page]").text == "Profile"
    labels = [item.text for item in page.soup.select("main ul:not(.grants) li")]
    assert labels == [permission.labels["en"] for permission in INITIAL_CATALOGUE.permissions]
    assert labels[-4:] == [item.text for item in page.soup.select("main ul.muted li")]


def test_profile_is_translated_into_italian(console: AccountConsole) -> None:
    console.account.portal.patch(console.account.path, json={"language": "it"})
    page = console.sub_user().get("/profile")

    assert "Che cosa puoi fare" in page.text
    assert "nessuna scadenza" in page.text


def test_coworkers_are_the_visible_sub_users_of_the_account(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password(name="Ada")
    console.account.create_sub_user(name="Zoë", surname="<b>Bold</b>")
    hidden = console.account.create_with_own_password(name="Secret", visible=False)
    foreign_sub_user = console.clients.register_account().create_sub_user(name="Elsewhere")
    page = console.sub_user(sub_user).get("/colleagues")

    rows = [" ".join(row.get_text(" ").split()) for row in page.soup.select("tbody tr")]
    assert [row.split()[0] for row in rows] == ["Ada", "Zoë"]
    assert "you" in rows[0]
    assert "<b>Bold</b>" in rows[1]
    assert "ctive" not in page.text  # that is for the owner
    for absent in (hidden.email, "Secret", foreign_sub_user.email):
        assert absent not in page.response.text
    assert "Ada" in console.sub_user(hidden).get("/colleagues").text


def test_coworkers_are_paginated(console: AccountConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coworkers, "PAGE_SIZE", 2)
    sub_user = console.account.create_with_own_password(name="A")
    for name in ("B", "C"):
        console.account.create_sub_user(name=name)
    browser = console.sub_user(sub_user)
    page = browser.get("/colleagues")
    assert [row.text.split()[0] for row in page.soup.select("tbody th")] == ["A", "B"]
    page = browser.get(str(page.find("main nav a")["href"]))
    assert [row.text.split()[0] for row in page.soup.select("tbody th")] == ["C"]
    assert page.find("main nav a")["href"] == "/colleagues"


@pytest.mark.parametrize("cursor", ["nonsense", "%00", "x" * 5000, "%ED%A0%80"])
def test_invalid_coworkers_cursor_is_refused(console: AccountConsole, cursor: str) -> None:
    assert console.sub_user().get(f"/colleagues?cursor={cursor}").status == 422


def test_coworkers_cursor_of_another_account_is_refused(
    new_console: Callable[..., AccountConsole], console: AccountConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coworkers, "PAGE_SIZE", 1)
    console.account.create_sub_user(name="B")
    href = str(console.sub_user().get("/colleagues").find("main nav a")["href"])

    assert new_console().sub_user().get(href).status == 422


def test_sub_users_see_their_own_activity(console: AccountConsole) -> None:
    """Their sign-ins, passwords and activities, without what the owner does and without notes of the portal."""
    sub_user = console.account.create_with_own_password()
    other = console.account.create_sub_user(name="Ada", surname="Lovelace")
    sub_user.change(visible=False)
    report_activities(sub_user, {"target": "Front desk"})
    report_activities(other, {"target": "Back office"})
    portal = console.account.portal.with_headers(X_Reason="Left the laptop on a train", X_Actor="anna@portal.example")
    assert portal.patch(sub_user.path, json={"password": TEMPORARY_PASSWORD}).status_code == 200
    browser = console.sub_user(sub_user, TEMPORARY_PASSWORD)
    assert browser.get("/activity").path == "/password"
    set_password(browser, TEMPORARY_PASSWORD, NEW_PASSWORD)

    page = browser.get("/activity")

    sentences = timeline(page)
    assert "Grace Hopper: tool.used · Front desk" in sentences
    assert "Grace Hopper logged in" in sentences
    assert any("password" in sentence for sentence in sentences)
    for hidden in ("added", "activated", "Lovelace", "Back office", "visible", "hidden"):
        assert not [sentence for sentence in sentences if hidden in sentence], hidden
    assert "train" not in page.text
    assert "anna@portal.example" not in page.text
    assert not page.soup.select('main a[href*="/sub-users"], main a[href*="export"]')
    assert page.find("nav a[aria-current=page]").get_text(strip=True) == "Activity"


def test_own_activity_has_pages(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    report_activities(sub_user, *[{"target": f"{number}."} for number in range(60)])
    browser = console.sub_user(sub_user)
    page = browser.get("/activity")
    older = browser.get(str(page.find('.pages a[rel="next"]')["href"]))
    assert {f"{number}." for number in range(60)} <= {
        sentence.rpartition(" ")[2] for sentence in (*timeline(page), *timeline(older))
    }
    gone = browser.get("/activity?cursor=AAAA")
    assert gone.status == 422
    assert gone.find("[role=alert] a")["href"] == "/activity"


def test_own_activity_is_for_sub_users(console: AccountConsole) -> None:
    assert console.owner().get("/activity").status == 403
    assert console.browser().get("/activity").path.startswith("/login")
