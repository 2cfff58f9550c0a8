"""Editing sub-users: what is sent, what is said of it, and what somebody else did meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.callers import TEMPORARY, is_active
from tests.people import deliver_mails, mailed_password, text_of

if TYPE_CHECKING:
    from tests.api.callers import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import House

PASSWORD = "words nobody would guess"
HOSTILE = '"><script>alert(1)</script>'


def form_of(browser: Browser, one: SubUser) -> Page:
    page = browser.get(f"/sub-users/{one.sub_user_id}/edit")
    assert page.status == 200, page.text
    return page


def save(house: House, one: SubUser, **fields: Any) -> Page:
    browser = house.owner()
    return browser.submit(form_of(browser, one), **fields)


def actions(house: House) -> list[str]:
    """Return what happened to sub-users, newest first."""
    words = (str(row["action"]) for row in house.account.rows())
    return [word for word in words if word.startswith("sub_user.") and "logged" not in word]


def test_the_form_shows_what_is_stored(house: House) -> None:
    one = house.account.let_in(name=HOSTILE, visible=False, access_expires_at="2090-07-01T10:00:30Z")
    browser = house.owner()
    browser.set_cookie("__Host-subusers-time-zone", "Europe/Rome")

    page = form_of(browser, one)

    assert page.find("#name")["value"] == HOSTILE
    assert page.find("#surname")["value"] == "Hopper"
    assert page.find("#access_expires_at")["value"] == "2090-07-01T12:00"
    assert not page.find("#visible").has_attr("checked")
    assert not page.find("#active").has_attr("checked")
    assert not page.find("#password").has_attr("value")
    assert one.email in page.text
    assert not page.soup.select("main script")


def test_saving_what_is_stored_changes_nothing(house: House) -> None:
    """Not even an expiry with seconds, which the form does not show."""
    one = house.account.let_in_active(access_expires_at="2090-07-01T10:00:30Z")
    before = one.shown()

    page = save(house, one)

    assert (page.path, page.notice) == ("/sub-users", "Nothing was changed.")
    assert one.shown() == before
    assert actions(house) == ["sub_user.activated", "sub_user.created"]


def test_only_what_was_changed_is_recorded(house: House) -> None:
    one = house.account.let_in()

    page = save(house, one, name="Gracie")

    assert page.notice == "Saved."
    assert one.shown()["name"] == "Gracie"
    assert actions(house) == ["sub_user.details_changed", "sub_user.created"]


def test_everything_can_be_changed_at_once(house: House) -> None:
    one = house.account.let_in()

    save(house, one, name="A", surname="B", visible=False, active=True, access_expires_at="2090-07-01T12:00")

    shown = one.shown()
    assert (shown["name"], shown["surname"], shown["visible"], shown["status"]) == ("A", "B", False, "active")
    assert shown["access_expires_at"] == "2090-07-01T12:00:00Z"


def test_an_expiry_is_taken_away_by_leaving_it_empty(house: House) -> None:
    one = house.account.let_in(access_expires_at="2090-07-01T10:00:00Z")

    save(house, one, access_expires_at="")

    assert one.shown()["access_expires_at"] is None


def test_an_expiry_counts_in_the_time_zone_that_the_form_showed(house: House) -> None:
    """The browser may tell another one between the form and its answer."""
    one = house.account.let_in(access_expires_at="2090-07-01T10:00:00Z")
    browser = house.owner()
    form = form_of(browser, one)
    browser.set_cookie("__Host-subusers-time-zone", "Asia/Tokyo")

    assert browser.submit(form).notice == "Nothing was changed."
    browser.submit(form, access_expires_at="2090-07-01T11:00")
    assert one.shown()["access_expires_at"] == "2090-07-01T11:00:00Z"


def test_the_first_activation_mails_the_password_that_was_set(own_house: House) -> None:
    one = own_house.account.let_in()

    page = save(own_house, one, active=True)

    assert page.notice == f"Activated. Access data is on its way to {one.email}."
    assert "On its way" in page.find("#list tbody").text
    (mail,) = deliver_mails(own_house.doors.service)
    assert TEMPORARY in text_of(mail)
    assert "Sent" in own_house.owner().get("/sub-users").find("#list tbody").text


def test_activating_again_mails_new_access_data(own_house: House) -> None:
    one = own_house.account.let_in_settled()
    one.change(active=False)

    page = save(own_house, one, active=True)

    assert page.notice.startswith("Activated.")
    assert mailed_password(deliver_mails(own_house.doors.service)[-1]) not in {TEMPORARY, one.password}


def test_deactivating_ends_every_session(house: House) -> None:
    one = house.account.let_in_settled()
    token = one.token()

    page = save(house, one, active=False)

    assert page.notice == "Deactivated. Grace Hopper has no access any more, and all sessions have ended."
    assert not is_active(house.doors.portal, token)
    assert page.find("#list .badge.bad").text == "Inactive"


def test_a_new_password_for_somebody_active_is_mailed(own_house: House) -> None:
    one = own_house.account.let_in_settled()
    token = one.token()

    page = save(own_house, one, password=PASSWORD)

    assert page.notice.startswith(f"New password: access data is on its way to {one.email}.")
    assert PASSWORD in text_of(deliver_mails(own_house.doors.service)[-1])
    assert not is_active(own_house.doors.portal, token)


def test_a_new_password_for_somebody_inactive_waits_for_the_activation(own_house: House) -> None:
    one = own_house.account.let_in()

    page = save(own_house, one, password=PASSWORD)

    assert page.notice == f"Saved. Grace Hopper is inactive: access data goes to {one.email} when you activate them."
    assert deliver_mails(own_house.doors.service) == []
    save(own_house, one, active=True)
    assert PASSWORD in text_of(deliver_mails(own_house.doors.service)[-1])


def test_a_password_set_in_the_step_that_activates_again_is_the_one_mailed(own_house: House) -> None:
    one = own_house.account.let_in_settled()
    one.change(active=False)

    save(own_house, one, active=True, password=PASSWORD)

    assert PASSWORD in text_of(deliver_mails(own_house.doors.service)[-1])


def test_an_expiry_that_has_passed_is_told(house: House) -> None:
    one = house.account.let_in_settled()
    token = one.token()

    page = save(house, one, access_expires_at="2020-01-01T00:00")

    assert page.notice == "Saved. The access of Grace Hopper has expired, and all sessions have ended."
    assert not is_active(house.doors.portal, token)


def test_activating_somebody_who_has_expired_says_so(house: House) -> None:
    one = house.account.let_in(access_expires_at="2020-01-01T00:00:00Z")

    assert "but the access has expired" in save(house, one, active=True).notice


def test_a_new_password_for_somebody_who_has_expired_says_so(house: House) -> None:
    """Expired before, or by the same form."""
    expired = house.account.let_in_active(access_expires_at="2020-01-01T00:00:00Z")
    expiring = house.account.let_in_active()

    for one in (expired, expiring):
        page = save(house, one, password=PASSWORD, access_expires_at="2020-01-01T00:00")

        assert page.notice.startswith(f"New password: access data is on its way to {one.email}, ")
        assert "but the access has expired" in page.notice


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", 10_000 * "x"),
        ("surname", "Hop\0per"),
        ("password", "short"),
        ("password", "a phrase with Hopper"),
        ("password", 10_000 * "x"),
        ("access_expires_at", "never"),
    ],
)
def test_a_refusal_stands_at_its_field_and_changes_nothing(house: House, field: str, value: str) -> None:
    one = house.account.let_in()

    page = save(house, one, **{"visible": False, "active": True, field: value})

    assert page.status == 422
    assert page.error(field)
    assert page.find("#active").has_attr("checked")
    assert not page.find("#visible").has_attr("checked")
    assert field != "password" or value not in page.response.text
    assert actions(house) == ["sub_user.created"]


def test_a_form_that_was_mended_is_saved(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()
    refused = browser.submit(form_of(browser, one), name="", active=True)

    assert browser.submit(refused, name="Gracie").notice.startswith("Activated.")


def conflicting(house: House, one: SubUser, browser: Browser, **fields: Any) -> Page:
    """Send a form after somebody else has changed the surname."""
    form = form_of(browser, one)
    one.change(surname="Murray")
    return browser.submit(form, **fields)


def test_a_conflict_shows_both_versions(house: House) -> None:
    one = house.account.let_in()

    page = conflicting(house, one, house.owner(), name="Gracie <b>", active=True, access_expires_at="2090-07-01T12:00")

    assert page.status == 409
    rows = [[cell.get_text(" ", strip=True) for cell in row.select("th, td")] for row in page.soup.select("tbody tr")]
    assert rows == [
        ["Name", "Grace", "Gracie <b>", "Different"],
        ["Surname", "Murray", "Hopper", "Different"],
        ["Visibility", "Visible", "Visible", ""],
        ["Status", "Inactive", "Active", "Different"],
        ["Access expires", "Never", "1 Jul 2090, 12:00", "Different"],
    ]
    assert len(page.soup.select("tr.differs")) == 4
    assert not page.soup.select("#password")
    assert one.shown()["name"] == "Grace"


def test_what_is_stored_can_be_kept(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()
    page = conflicting(house, one, browser, name="Gracie")

    form = browser.get(str(page.find("main .actions a[role=button]")["href"]))

    assert (form.find("#name")["value"], form.find("#surname")["value"]) == ("Grace", "Murray")
    assert browser.submit(form).notice == "Nothing was changed."


def test_what_was_typed_can_be_saved_after_all(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()
    page = conflicting(house, one, browser, name="Gracie", visible=False, active=True)

    saved = browser.submit(page)

    assert saved.notice.startswith("Activated.")
    shown = one.shown()
    assert (shown["name"], shown["surname"], shown["visible"]) == ("Gracie", "Hopper", False)
    assert shown["status"] == "active"


def test_a_password_has_to_be_typed_again(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()

    page = conflicting(house, one, browser, password=PASSWORD)

    assert PASSWORD not in page.response.text
    assert "type it again" in page.find("#password-hint").text
    assert browser.submit(page, password=PASSWORD).notice.startswith("Saved. Grace Hopper is inactive")


def test_a_second_conflict_is_shown_too(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()
    page = conflicting(house, one, browser, name="Gracie")
    one.change(surname="Brewster")

    again = browser.submit(page)

    assert again.status == 409
    assert "Brewster" in again.text


def test_a_refused_form_does_not_forget_what_it_was_opened_for(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()
    refused = conflicting(house, one, browser, name="")

    assert refused.status == 422
    assert browser.submit(refused, name="Gracie").status == 409


def test_a_change_between_reading_and_writing_is_a_conflict_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    one = house.account.let_in()
    browser = house.owner()
    form = form_of(browser, one)
    change = house.doors.service.sub_users.change

    def first_somebody_else(*args: Any, **named: Any) -> Any:
        monkeypatch.undo()
        one.change(surname="Murray")
        return change(*args, **named)

    monkeypatch.setattr(house.doors.service.sub_users, "change", first_somebody_else)

    page = browser.submit(form, name="Gracie")

    assert page.status == 409
    assert "Murray" in page.text


def test_the_same_change_by_two_is_no_conflict(house: House) -> None:
    one = house.account.let_in()

    assert conflicting(house, one, house.owner(), surname="Murray").notice == "Nothing was changed."


@pytest.mark.parametrize("revision", ["", "x", "-1", "\u0661", "9" * 400, "99"])
def test_a_revision_that_never_was_is_a_conflict(house: House, revision: str) -> None:
    one = house.account.let_in()

    assert save(house, one, revision=revision, name="Gracie").status == 409
    assert one.shown()["name"] == "Grace"


def test_a_login_in_between_is_no_conflict(house: House) -> None:
    one = house.account.let_in_active()
    browser = house.owner()
    form = form_of(browser, one)
    one.token()

    assert browser.submit(form, name="Gracie").notice == "Saved."


def test_who_was_deleted_meanwhile_is_gone_with_a_friendly_word(house: House) -> None:
    one = house.account.let_in()
    browser = house.owner()
    form = form_of(browser, one)
    house.doors.portal.delete(one.path)

    for page in (browser.submit(form, name="Gracie"), browser.get(form.path)):
        assert (page.status, page.find("h1").text) == (404, "No such sub-user")
        assert "deleted meanwhile" in page.text


def test_others_sub_users_are_not_found(house: House, new_house: Any) -> None:
    one = house.account.let_in()
    browser = new_house().owner()
    token = str(browser.get("/sub-users/new").find("main input[name=csrf]")["value"])
    path = f"/sub-users/{one.sub_user_id}/edit"

    assert browser.get(path).status == 404
    assert browser.post(path, {"csrf": token, "name": "A", "surname": "B", "revision": "1"}).status == 404
    assert one.shown()["name"] == "Grace"
