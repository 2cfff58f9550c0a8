"""Devices on which a person is logged in: on their own page, and on a sub-user's page for the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.client_details import UserAgentAndGeoIpDescriber
from application.sign_in.open_sessions import OpenSessions
from tests.geoip import MILAN, write_geoip_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole


def rows(page: Page) -> list[str]:
    return [" ".join(row.get_text(" ").split()) for row in page.soup.select(".table-cards tbody tr")]


def end_actions(page: Page, *, current: bool) -> list[str]:
    """Return the actions that end the visitor's current session, or each of the others."""
    table_rows = page.soup.select(".table-cards tbody tr")
    return [str(row.select("form")[0]["action"]) for row in table_rows if bool(row.select(".chip")) is current]


def owner_of(console: AccountConsole) -> Callable[..., Browser]:
    return console.owner


def sub_user_of(console: AccountConsole) -> Callable[..., Browser]:
    sub_user = console.account.create_with_own_password()
    console.account.portal.delete(f"{sub_user.path}/sessions")
    return lambda **options: console.sub_user(sub_user, **options)


PEOPLE = pytest.mark.parametrize("person_of", [owner_of, sub_user_of])


@PEOPLE
def test_page_lists_only_own_sessions(
    console: AccountConsole, person_of: Callable[[AccountConsole], Callable[..., Browser]]
) -> None:
    """The start page of the person links to it."""
    log_in = person_of(console)
    browser = log_in()
    log_in(address="203.0.113.9")
    console.sub_user()
    page = browser.get("/devices")

    assert page.find("h1").text == "Your devices"
    assert len(rows(page)) == 2
    assert ["this device" in row for row in rows(page)] == [False, True]
    assert "Firefox · Linux" in rows(page)[0]
    assert "203.0.113.9" in rows(page)[0]
    assert "198.51.100.7" in rows(page)[1]
    start = browser.get("/account" if person_of is owner_of else "/profile")
    assert "/devices" in [link["href"] for link in start.soup.select("main a")]


@PEOPLE
def test_one_session_ends_on_another_device(
    console: AccountConsole, person_of: Callable[[AccountConsole], Callable[..., Browser]]
) -> None:
    log_in = person_of(console)
    lost, third, browser = log_in(), log_in(), log_in()
    page = browser.get("/devices")
    (_, action) = end_actions(page, current=False)

    ended = browser.submit(page, action)

    assert (ended.path, ended.success_message) == ("/devices", "That device is logged out.")
    assert len(rows(ended)) == 2
    assert lost.get("/devices").path.startswith("/login?why=ended")
    assert third.get("/devices").status == 200
    again = browser.submit(page, action)
    assert again.success_message == "That device was logged out already."


@PEOPLE
def test_all_other_devices_are_logged_out(
    console: AccountConsole, person_of: Callable[[AccountConsole], Callable[..., Browser]]
) -> None:
    log_in = person_of(console)
    others, browser = [log_in(), log_in()], log_in()

    page = browser.submit(browser.get("/devices"), "/devices/others/end")

    assert page.success_message == "All other devices are logged out."
    assert len(rows(page)) == 1
    assert "Log out all other devices" not in page.text
    assert all(other.get("/devices").path.startswith("/login?why=ended") for other in others)


@PEOPLE
def test_ending_the_current_session_is_a_logout(
    console: AccountConsole, person_of: Callable[[AccountConsole], Callable[..., Browser]]
) -> None:
    browser = person_of(console)()
    page = browser.get("/devices")
    (action,) = end_actions(page, current=True)

    page = browser.submit(page, action)

    assert page.path == "/login"
    assert browser.cookie("session") is None


def test_sessions_of_other_people_cannot_be_ended(console: AccountConsole) -> None:
    """Nor without a CSRF token."""
    victim, browser = console.sub_user(), console.sub_user()
    (victims_action,) = end_actions(victim.get("/devices"), current=True)
    page = browser.get("/devices")
    form = {"csrf": str(page.soup.select("main input[name=csrf]")[0]["value"])}

    assert browser.post(victims_action, form).success_message == "That device was logged out already."
    assert browser.post(f"/devices/{uuid4()}/end", form).success_message == "That device was logged out already."
    (own_action,) = end_actions(page, current=True)
    assert browser.post(own_action, {}).status == 403
    assert victim.get("/devices").status == 200


def test_page_is_translated_and_closed_to_temporary_passwords(console: AccountConsole) -> None:
    console.account.portal.patch(console.account.path, json={"language": "it"})
    page = console.sub_user().get("/devices")
    assert page.find("h1").text == "I tuoi dispositivi"
    assert "questo dispositivo" in page.text
    restricted = console.account.create_active()
    browser = console.browser()
    browser.log_in_as_sub_user(console.account.email, restricted.email, restricted.password)
    assert browser.get("/devices").path == "/password"
    assert console.browser().get("/devices").path.startswith("/login")


def test_owner_ends_one_session_of_a_sub_user(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    console.account.portal.delete(f"{sub_user.path}/sessions")
    lost, kept, owner = console.sub_user(sub_user), console.sub_user(sub_user), console.owner()
    page = owner.get(f"/sub-users/{sub_user.sub_user_id}")
    (_, action) = end_actions(page, current=False)

    ended = owner.submit(page, action)

    assert (ended.path, ended.success_message) == (page.path, "That device is logged out.")
    assert lost.get("/profile").path.startswith("/login?why=ended")
    assert kept.get("/profile").status == 200
    assert owner.submit(page, action).success_message == "That device was logged out already."


def test_place_is_shown_with_a_geoip_database(
    own_console: AccountConsole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the visitor's language."""
    own_sessions = own_console.clients.service.commands.own_owner_sessions
    database = write_geoip_database(tmp_path / "places.mmdb", {"203.0.113.0/24": MILAN})
    open_sessions = OpenSessions(own_sessions.open_sessions.sessions, UserAgentAndGeoIpDescriber(database))
    monkeypatch.setitem(vars(own_sessions), "open_sessions", open_sessions)
    for language, place in (("en", "Milan, Italy"), ("it", "Milan, Italia")):
        own_console.account.portal.patch(own_console.account.path, json={"language": language})
        browser = own_console.owner(address="203.0.113.9")
        assert place in rows(browser.get("/devices"))[0]
