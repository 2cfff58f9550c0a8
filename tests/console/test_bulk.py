"""One action for several sub-users: the confirmation, and the result for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.console.batches import bulk
from application.errors import StoreUnavailable
from domain.mails import MAILS_PER_RECIPIENT
from domain.refusals import SubUserLimitReached
from tests.api.clients import is_session_active
from tests.builders import deliver_mails_to

if TYPE_CHECKING:
    from tests.api.clients import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole

CHOSEN = "/sub-users/chosen"


def choose(browser: Browser, action: str, *sub_users: SubUser, path: str = "/sub-users") -> Page:
    """Check the sub-users in the list, and press a button of the bar below it."""
    page = browser.get(path)
    assert page.find(f".bulk button[value={action}]")["name"] == "action"
    ids = [str(sub_user.sub_user_id) for sub_user in sub_users]
    return browser.post(CHOSEN, {**hidden_values(page, CHOSEN), "id": ids, "action": action})


def hidden_values(page: Page, action: str) -> dict[str, Any]:
    return {str(field["name"]): str(field["value"]) for field in page.form(action).select("input[type=hidden]")}


def rows(page: Page) -> dict[str, str]:
    """Return the text of each row by the person's name."""
    return {
        row.select_one("bdi").get_text(): " ".join(row.select("td")[-1].get_text(" ").split())  # type: ignore[union-attr]
        for row in page.soup.select("tbody tr")
    }


def test_leavers_are_deactivated_together(console: AccountConsole) -> None:
    """The confirmation tells what happens to each of them, and the way back keeps the list's filters."""
    ada, grace = (console.account.create_with_own_password(name=name) for name in ("Ada", "Grace"))
    alan = console.account.create_sub_user(name="Alan")
    tokens = [ada.new_token(), grace.new_token()]
    browser = console.owner()

    question = choose(browser, "deactivate", ada, grace, alan, path="/sub-users?visibility=visible")

    assert question.find("h1").text == "Deactivate these people?"
    loses = "Loses access at once, all sessions end"
    assert rows(question) == {"Ada Hopper": loses, "Alan Hopper": "Is inactive already", "Grace Hopper": loses}
    assert question.find("main .pri").text == "Deactivate 2 people"
    assert ada.fetch()["status"] == "active"

    result = browser.submit(question)

    done = "Done No longer has access, all sessions have ended"
    assert result.find("h1").text == "Deactivated: 2 of 3"
    assert rows(result) == {"Ada Hopper": done, "Alan Hopper": "Not done Is inactive already", "Grace Hopper": done}
    assert [sub_user.fetch()["status"] for sub_user in (ada, grace)] == ["inactive", "inactive"]
    assert not any(is_session_active(console.clients.portal, token) for token in tokens)
    assert result.find("main p > a.btn")["href"] == "/sub-users?visibility=visible"


def test_people_are_activated_together(own_console: AccountConsole) -> None:
    """Those who cannot be activated are told, by name, before and after."""
    ada, grace = own_console.account.create_sub_user(name="Ada"), own_console.account.create_active(name="Grace")
    alan = own_console.account.create_sub_user(name="Alan", access_expires_at="2020-01-01T00:00:00Z")
    busy = own_console.account.create_sub_user(name="Busy")
    for _ in range(MAILS_PER_RECIPIENT):
        busy.change(status="active")
        busy.change(status="inactive")
    browser = own_console.owner()

    question = choose(browser, "activate", ada, grace, alan, busy)
    result = browser.submit(question)

    assert rows(question) == {
        "Ada Hopper": "Is emailed access data",
        "Alan Hopper": "Access has expired: set a later end date first",
        "Busy Hopper": "Is emailed access data",
        "Grace Hopper": "Is active already",
    }
    assert rows(result) == {
        "Ada Hopper": "Done Active, access data is being emailed",
        "Alan Hopper": "Not done Access has expired: set a later end date first",
        "Busy Hopper": "Not done Too many emails with access data within an hour: try again later",
        "Grace Hopper": "Not done Is active already",
    }
    assert result.find("h1").text == "Activated: 1 of 4"
    assert len(deliver_mails_to(own_console.clients.service, ada.email)) == 1


def test_end_of_access_is_set_together(console: AccountConsole) -> None:
    ada = console.account.create_sub_user(name="Ada", access_expires_at="2090-07-01T10:00:00Z")
    grace = console.account.create_active(name="Grace")
    browser = console.owner()
    browser.set_cookie("__Host-subusers-time-zone", "Europe/Rome")

    question = choose(browser, "expiry", ada, grace)
    assert rows(question) == {"Ada Hopper": "Until 1 Jul 2090, 12:00", "Grace Hopper": "No end date"}
    past = browser.submit(question, expiry="other", access_expires_at="2020-01-01T00:00")
    assert (past.status, past.error("access_expires_at")[:21]) == (422, "This time has passed.")
    result = browser.submit(past, expiry="other", access_expires_at="2091-07-01T12:00")

    assert set(rows(result).values()) == {"Done Until 1 Jul 2091, 12:00"}
    assert {sub_user.fetch()["access_expires_at"] for sub_user in (ada, grace)} == {"2091-07-01T10:00:00Z"}
    browser.submit(choose(browser, "expiry", ada, grace), expiry="none")
    assert {sub_user.fetch()["access_expires_at"] for sub_user in (ada, grace)} == {None}


def test_people_are_deleted_together(console: AccountConsole) -> None:
    ada, grace = console.account.create_sub_user(name="Ada"), console.account.create_active(name="Grace")
    browser = console.owner()

    question = choose(browser, "delete", ada, grace)
    assert question.find("main .pri").text == "Delete 2 people permanently"
    result = browser.submit(question)

    assert set(rows(result).values()) == {"Done Deleted, personal data can no longer be read"}
    assert "0 of 10 places" in browser.get("/sub-users").text


@pytest.mark.parametrize("action", ["activate", "expiry", "delete"])
def test_people_who_changed_meanwhile_are_left_alone(console: AccountConsole, action: str) -> None:
    """The others are not: each person is a command of their own."""
    ada, grace = console.account.create_sub_user(name="Ada"), console.account.create_sub_user(name="Grace")
    browser = console.owner()
    question = choose(browser, action, ada, grace)
    ada.change(surname="Lovelace")
    before = ada.fetch()

    result = browser.submit(question)

    assert rows(result)["Ada Lovelace"] == "Not done Changed in the meantime: nothing was done"
    assert rows(result)["Grace Hopper"].startswith("Done ")
    assert ada.fetch() == before


def test_leavers_cannot_prevent_their_deactivation(console: AccountConsole) -> None:
    ada = console.account.create_active(name="Ada")
    browser = console.owner()
    question = choose(browser, "deactivate", ada)
    ada.change(password="a phrase from the boss")

    browser.submit(question)

    assert ada.fetch()["status"] == "inactive"


def test_people_who_were_deleted_meanwhile_are_counted(console: AccountConsole) -> None:
    ada, grace = console.account.create_active(name="Ada"), console.account.create_active(name="Grace")
    browser = console.owner()
    question = choose(browser, "deactivate", ada, grace)
    console.clients.portal.delete(ada.path)

    result = browser.submit(question)

    assert list(rows(result)) == ["Grace Hopper"]
    assert result.find("main .notice.warning").text == "One of the chosen people had been deleted already."
    assert result.find("h1").text == "Deactivated: 1 of 2"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SubUserLimitReached(), "Not done Something went wrong: nothing was done"),
        (StoreUnavailable(), "Not known The database could not be reached: check whether it was done"),
    ],
)
def test_unexpected_error_concerns_one_person_only(
    console: AccountConsole, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    ada, grace = console.account.create_active(name="Ada"), console.account.create_active(name="Grace")
    browser = console.owner()
    question = choose(browser, "deactivate", ada, grace)
    commands = console.clients.service.commands.sub_users
    change = commands.change

    def refuse_for_ada(account_id: Any, sub_user_id: Any, *args: Any) -> Any:
        if str(sub_user_id) == ada.sub_user_id:
            raise error
        return change(account_id, sub_user_id, *args)

    monkeypatch.setattr(commands, "change", refuse_for_ada)

    result = browser.submit(question)

    assert rows(result)["Ada Hopper"] == text
    assert grace.fetch()["status"] == "inactive"


def test_people_for_whom_there_is_no_time_are_left_for_the_next_request(
    console: AccountConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub_users = [console.account.create_sub_user(name=name) for name in ("Ada", "Grace")]
    browser = console.owner()
    question = choose(browser, "expiry", *sub_users)
    monkeypatch.setattr(bulk, "MAX_SECONDS", 0)

    first = browser.submit(question, expiry="other", access_expires_at="2091-07-01T12:00")
    assert list(rows(first)) == ["Ada Hopper"]
    second = browser.submit(first)

    assert list(rows(second)) == ["Grace Hopper"]
    assert {sub_user.fetch()["access_expires_at"] for sub_user in sub_users} == {"2091-07-01T12:00:00Z"}


@pytest.mark.parametrize("values", [{}, {"action": "deactivate"}, {"id": "x", "action": "deactivate"}])
def test_choosing_nobody_leads_back_to_the_list(console: AccountConsole, values: dict[str, str]) -> None:
    console.account.create_active()
    browser = console.owner()
    hidden = hidden_values(browser.get("/sub-users"), CHOSEN)

    page = browser.post(CHOSEN, {**hidden, **values})

    assert (page.path, page.find("#messages .notice.warning").text) == (
        "/sub-users",
        "Choose at least one person first.",
    )
    assert browser.get(CHOSEN).path == "/sub-users"
    assert browser.post(f"{CHOSEN}/run", {**hidden, **values, "action": ""}).path == "/sub-users"


def test_people_of_another_account_cannot_be_chosen(console: AccountConsole, new_console: Any) -> None:
    sub_user = console.account.create_active()
    other = new_console()
    other.account.create_active()

    page = choose(other.owner(), "delete", sub_user)

    assert page.path == "/sub-users"
    assert sub_user.fetch()["status"] == "active"


def test_forms_need_the_csrf_token(console: AccountConsole) -> None:
    sub_user = console.account.create_active()
    browser = console.owner()
    browser.get("/sub-users")

    for path in (CHOSEN, f"{CHOSEN}/run"):
        assert browser.post(path, {"id": str(sub_user.sub_user_id), "action": "delete"}).status == 403
    assert sub_user.fetch()["status"] == "active"
