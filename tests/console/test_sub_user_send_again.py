"""Sending access data again: asked first, and only to who is active."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.api.callers import is_active
from tests.people import deliver_mails, mailed_password

if TYPE_CHECKING:
    from tests.api.callers import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import House


def question(browser: Browser, one: SubUser) -> Page:
    return browser.get(f"/sub-users/{one.sub_user_id}/send-again")


def test_it_is_asked_first_and_says_what_ends(house: House) -> None:
    one = house.account.let_in_settled(name="<i>Grace</i>")
    token = one.token()

    page = question(house.owner(), one)

    assert page.status == 200
    assert page.find("h1").text == "Send access data again to <i>Grace</i> Hopper?"
    assert one.email in page.text
    assert "is not valid any more, and all their sessions end now." in page.text
    assert is_active(house.doors.portal, token)


def test_then_new_access_data_is_mailed(own_house: House) -> None:
    one = own_house.account.let_in_settled()
    token = one.token()
    browser = own_house.owner()

    page = browser.submit(question(browser, one))

    assert page.path == "/sub-users"
    assert page.notice.startswith(f"New access data is on its way to {one.email}.")
    assert not is_active(own_house.doors.portal, token)
    password = mailed_password(deliver_mails(own_house.doors.service)[-1])
    assert one.log_in(password=password).status_code == 201


def test_to_who_has_expired_it_is_said_that_they_cannot_log_in(house: House) -> None:
    one = house.account.let_in_active(access_expires_at="2020-01-01T00:00:00Z")
    browser = house.owner()

    page = browser.submit(question(browser, one))

    assert page.notice.startswith(f"New access data is on its way to {one.email}, but the access has expired")


def test_to_who_is_inactive_there_is_nothing_to_send(house: House) -> None:
    one = house.account.let_in()

    page = question(house.owner(), one)

    assert page.status == 409
    assert page.find("main .notice.warning").text.startswith("Grace Hopper is inactive")
    assert page.find('main a[href$="/edit"]')
    assert not page.soup.select("main form")


def test_who_was_deactivated_meanwhile_gets_nothing(house: House) -> None:
    one = house.account.let_in_active()
    browser = house.owner()
    form = question(browser, one)
    one.change(active=False)

    page = browser.submit(form)

    assert page.status == 409
    assert page.find("main .notice.warning").text.startswith("Grace Hopper is inactive")


def test_who_was_deleted_meanwhile_is_said_to_be_gone(house: House) -> None:
    one = house.account.let_in_active()
    browser = house.owner()
    form = question(browser, one)
    house.doors.portal.delete(one.path)

    for page in (browser.submit(form), question(browser, one)):
        assert (page.status, page.find("h1").text) == (404, "No such sub-user")


def test_without_its_token_a_form_does_nothing(house: House) -> None:
    one = house.account.let_in_active()
    token = one.token()
    browser = house.owner()

    assert browser.submit(question(browser, one), leave_out=("csrf",)).status == 403
    assert is_active(house.doors.portal, token)


def test_others_sub_users_are_not_found(house: House, new_house: Any) -> None:
    one = house.account.let_in_active()
    browser = new_house().owner()
    token = str(browser.get("/sub-users/new").find("main input[name=csrf]")["value"])

    assert question(browser, one).status == 404
    assert browser.post(f"/sub-users/{one.sub_user_id}/send-again", {"csrf": token}).status == 404
