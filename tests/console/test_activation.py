"""Activating and deactivating in one step, from the list and from a sub-user's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from domain.mails import MAILS_PER_RECIPIENT
from tests.api.clients import is_session_active
from tests.builders import deliver_mails_to

if TYPE_CHECKING:
    from tests.api.clients import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole

HTMX = {"HX-Request": "true"}


def press(browser: Browser, page: Page, selector: str, headers: dict[str, str] | None = None) -> Page:
    """Press a button that sends its form somewhere else, as the switch in a row does."""
    button = page.find(selector)
    form = button.find_parent("form")
    assert form is not None
    values = {str(field["name"]): str(field.get("value", "")) for field in form.select("input[type=hidden][name]")}
    return browser.post(str(button["formaction"]), values, headers)


def test_switch_in_the_row_deactivates_after_a_confirmation(console: AccountConsole) -> None:
    """It tells what happens, and returns to the list with its filters."""
    sub_user = console.account.create_with_own_password()
    tokens = [sub_user.new_token(), sub_user.new_token()]
    browser = console.owner()
    listed = browser.get("/sub-users?q=grace")
    assert listed.find(".switch")["aria-checked"] == "true"
    assert listed.find(".switch")["aria-label"] == "Access of Grace Hopper"

    question = press(browser, listed, ".switch")

    assert question.find("h1").text == "Deactivate Grace Hopper?"
    assert "sessions end." in question.text
    assert "Reactivating sends a new password." in question.text
    assert sub_user.fetch()["status"] == "active"
    page = browser.submit(question)
    assert page.path == "/sub-users?q=grace"
    assert page.success_message.startswith("Deactivated.")
    assert sub_user.fetch()["status"] == "inactive"
    assert not any(is_session_active(console.clients.portal, token) for token in tokens)


@pytest.mark.parametrize(("sessions", "text"), [(0, "Access ends immediately."), (1, "One session ends.")])
def test_question_counts_the_sessions_that_end(console: AccountConsole, sessions: int, text: str) -> None:
    sub_user = console.account.create_active()
    for _ in range(sessions):
        sub_user.new_token()

    page = console.owner().get(f"/sub-users/{sub_user.sub_user_id}/deactivate")

    assert page.find("main li:first-child").text.endswith(text)


def test_switch_in_the_row_activates_at_once(own_console: AccountConsole) -> None:
    sub_user = own_console.account.create_sub_user()
    browser = own_console.owner()

    page = press(browser, browser.get("/sub-users"), ".switch")

    assert page.success_message == f"Activated. We're sending access data to {sub_user.email}."
    assert page.find(".switch")["aria-checked"] == "true"
    assert len(deliver_mails_to(own_console.clients.service, sub_user.email)) == 1


def test_htmx_gets_the_list_with_the_changed_row(console: AccountConsole) -> None:
    """The switch takes its row, the message and the counts from it."""
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    listed = browser.get("/sub-users?status=inactive")
    switch, row = listed.find(".switch"), f"tr:has([value='{sub_user.sub_user_id}'])"
    assert (switch["hx-post"], switch["hx-select"]) == (switch["formaction"], row)
    form = switch.find_parent("form")
    assert form is not None
    assert (form["hx-target"], form["hx-select-oob"]) == ("closest tr", "#messages:innerHTML,#tabs")

    page = press(browser, listed, ".switch", HTMX)

    assert page.path == "/sub-users?status=inactive"
    assert page.success_message.startswith("Activated.")
    assert not page.soup.select(row)
    assert "Invited 1" in " ".join(page.find("#tabs").get_text(" ").split())


def test_activation_after_the_end_of_access_is_refused(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user(access_expires_at="2020-01-01T00:00:00Z")
    browser = console.owner()

    page = press(browser, browser.get("/sub-users"), ".switch")

    assert page.status == 409
    assert "The access of Grace Hopper has expired." in page.find("main .notice.warning").text
    edit = browser.get(str(page.find("main .actions .pri")["href"]))
    assert edit.find("h1").text == "Edit Grace Hopper"
    assert sub_user.fetch()["status"] == "inactive"


def test_refused_activation_replaces_the_page_in_htmx(console: AccountConsole) -> None:
    """Refusals have the status of an error, which htmx ignores."""
    console.account.create_sub_user(access_expires_at="2020-01-01T00:00:00Z")
    browser = console.owner()

    page = press(browser, browser.get("/sub-users"), ".switch", HTMX)

    headers = page.response.headers
    assert (page.status, headers["HX-Retarget"], headers["HX-Reselect"]) == (200, "#main", "#main > *")


def test_activation_beyond_the_limit_of_mails_tells_how_long_to_wait(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    for _ in range(MAILS_PER_RECIPIENT):
        sub_user.change(status="active")
        sub_user.change(status="inactive")
    browser = console.owner()

    page = press(browser, browser.get("/sub-users"), ".switch")

    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) > 0
    assert "minutes" in page.find("main .notice.warning").text


def test_page_of_a_sub_user_activates_and_deactivates(console: AccountConsole) -> None:
    """It returns to the same page."""
    sub_user = console.account.create_sub_user()
    browser, path = console.owner(), f"/sub-users/{sub_user.sub_user_id}"

    active = browser.submit(browser.get(path), f"{path}/activate")
    assert (active.path, active.find(".head .chip").text) == (path, "Invited")
    inactive = browser.submit(browser.submit(active, f"{path}/deactivate"))
    assert (inactive.path, inactive.find(".head .chip").text) == (path, "Inactive")


@pytest.mark.parametrize(("action", "status"), [("activate", "active"), ("deactivate", "inactive")])
def test_repeated_command_changes_nothing(console: AccountConsole, action: str, status: str) -> None:
    sub_user = console.account.create_active()
    browser, path = console.owner(), f"/sub-users/{sub_user.sub_user_id}"
    question = browser.get(f"{path}/deactivate")
    sub_user.change(status=status)
    before = sub_user.fetch()
    form = question if action == "deactivate" else browser.get(f"{path}/activate")

    assert browser.submit(form).success_message == "Nothing was changed."
    assert sub_user.fetch() == before


def test_deactivation_does_not_depend_on_other_changes(console: AccountConsole) -> None:
    """Someone who leaves must not keep access by changing their password."""
    sub_user = console.account.create_active()
    browser = console.owner()
    question = browser.get(f"/sub-users/{sub_user.sub_user_id}/deactivate")
    sub_user.change(surname="Murray", password="a phrase from the boss")

    browser.submit(question)

    assert sub_user.fetch()["status"] == "inactive"


def test_sub_user_of_another_account_is_not_found(console: AccountConsole, new_console: Any) -> None:
    sub_user: SubUser = console.account.create_active()
    browser = new_console().owner()

    for action in ("activate", "deactivate"):
        assert browser.get(f"/sub-users/{sub_user.sub_user_id}/{action}").status == 404
