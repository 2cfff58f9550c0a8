"""Deleting sub-users: asked first, for good, and only as they were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.api.callers import is_active

if TYPE_CHECKING:
    from tests.api.callers import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import House


def question(browser: Browser, one: SubUser) -> Page:
    page = browser.get(f"/sub-users/{one.sub_user_id}/delete")
    assert page.status == 200, page.text
    return page


def test_it_is_asked_first_whom_and_what_it_means(house: House) -> None:
    one = house.account.let_in(name="<i>Grace</i>")

    page = question(house.owner(), one)

    assert page.find("h1").text == "Delete <i>Grace</i> Hopper?"
    assert one.email in page.text
    assert "This is permanent." in page.text
    assert not page.soup.select("main i")
    assert one.shown()


def test_then_they_are_gone(house: House) -> None:
    one = house.account.let_in_settled()
    token = one.token()
    browser = house.owner()

    page = browser.submit(question(browser, one))

    assert page.path == "/sub-users"
    assert page.notice.startswith("Deleted. Grace Hopper has no access any more")
    assert "0 of 10 sub-users" in page.text
    assert house.doors.portal.get(one.path).status_code == 404
    assert not is_active(house.doors.portal, token)


def test_the_email_is_free_again(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()
    browser.submit(question(browser, one))

    assert house.account.let_in(email=one.email).shown()


def test_who_was_changed_meanwhile_is_shown_again_first(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()
    form = question(browser, one)
    one.change(surname="Murray")

    again = browser.submit(form)

    assert again.status == 409
    assert again.find("main .notice.warning").text.startswith("This sub-user was changed while you were looking.")
    assert again.find("h1").text == "Delete Grace Murray?"
    assert one.shown()
    assert browser.submit(again).notice.startswith("Deleted. Grace Murray")


def test_a_form_without_a_revision_deletes_nobody(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()

    assert browser.submit(question(browser, one), leave_out=("revision",)).status == 409
    assert one.shown()


def test_who_is_gone_already_is_said_to_be(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()
    form = question(browser, one)
    browser.submit(form)

    for page in (browser.submit(form), browser.get(form.path)):
        assert (page.status, page.find("h1").text) == (404, "No such sub-user")


def test_without_its_token_a_form_does_nothing(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()

    assert browser.submit(question(browser, one), leave_out=("csrf",)).status == 403
    assert one.shown()


def test_others_sub_users_are_not_found(house: House, new_house: Any) -> None:
    one = house.account.let_in()
    browser = new_house().owner()
    token = str(browser.get("/sub-users/new").find("main input[name=csrf]")["value"])
    path = f"/sub-users/{one.sub_user_id}/delete"

    assert browser.get(path).status == 404
    assert browser.post(path, {"csrf": token, "revision": "1"}).status == 404
    assert one.shown()


def test_a_sub_user_deletes_nobody(house: House) -> None:
    one = house.account.let_in_settled()
    browser = house.sub_user(one)

    assert browser.get(f"/sub-users/{one.sub_user_id}/delete").status == 403
