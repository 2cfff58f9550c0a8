"""Adding sub-users: what is asked, what is refused, and that one form makes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from application.errors import TooBusy
from tests.people import deliver_mails, text_of

if TYPE_CHECKING:
    from tests.console.browsing import Page
    from tests.console.conftest import House

FIELDS: dict[str, Any] = {"email": "colleague@example.com", "name": "Grace", "surname": "Hopper"}
PASSWORD = "words nobody would guess"
LONG = 10_000 * "x"


def living(house: House) -> list[dict[str, Any]]:
    """Return the account's sub-users as the portal sees them."""
    items: list[dict[str, Any]] = house.doors.portal.get(f"{house.account.path}/sub-users").json["items"]  # type: ignore[index]
    return items


def add(house: House, **fields: Any) -> Page:
    browser = house.owner()
    return browser.submit(browser.get("/sub-users/new"), **{**FIELDS, **fields})


def test_a_sub_user_is_added_inactive(house: House) -> None:
    page = add(house)

    assert (page.status, page.path) == (200, "/sub-users")
    assert page.notice == (
        "Added. Grace Hopper is inactive: access data goes to colleague@example.com when you activate them."
    )
    (one,) = living(house)
    assert {name: one[name] for name in FIELDS} == FIELDS
    assert (one["status"], one["visible"], one["access_expires_at"]) == ("inactive", True, None)


def test_a_notice_is_told_once(house: House) -> None:
    browser = house.owner()
    page = browser.submit(browser.get("/sub-users/new"), **FIELDS)

    assert page.notice
    assert not browser.get("/sub-users").notice


def test_everything_that_was_filled_in_counts(house: House) -> None:
    browser = house.owner()
    browser.set_cookie("__Host-subusers-time-zone", "Europe/Rome")
    form = browser.get("/sub-users/new")
    assert "Europe/Rome" in form.find("#access_expires_at-hint").text

    browser.submit(form, **FIELDS, visible=False, access_expires_at="2090-07-01T12:00")

    (one,) = living(house)
    assert (one["visible"], one["access_expires_at"]) == (False, "2090-07-01T10:00:00Z")


def test_activated_in_the_same_go_the_mail_goes_out(own_house: House) -> None:
    page = add(own_house, active=True, password=PASSWORD)

    assert page.notice == "Added and activated. Access data is on its way to colleague@example.com."
    (one,) = living(own_house)
    assert (one["status"], one["credentials_mail"]) == ("active", "pending")
    (mail,) = deliver_mails(own_house.doors.service)
    assert PASSWORD in text_of(mail)


def test_activated_with_an_expiry_that_has_passed_it_says_so(house: House) -> None:
    page = add(house, active=True, access_expires_at="2020-01-01T00:00")

    assert "but the access has expired" in page.notice


def test_where_activating_fails_it_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise TooBusy

    monkeypatch.setattr(house.doors.service.sub_users, "change", fail)

    page = add(house, active=True)

    (one,) = living(house)
    assert one["status"] == "inactive"
    assert page.path == f"/sub-users/{one['sub_user_id']}/edit?why=not-activated"
    assert page.find("main .notice.wrong").text.startswith("Added, but not activated")


@pytest.mark.parametrize(
    ("fields", "refused", "why"),
    [
        ({"email": ""}, "email", "This is not a valid email address."),
        ({"email": "nobody"}, "email", "This is not a valid email address."),
        ({"email": "a\0@example.com"}, "email", "This contains characters that cannot be used."),
        ({"email": LONG}, "email", "This is not a valid email address."),
        ({"name": " "}, "name", "Write 1 to 100 characters."),
        ({"name": "Gr\0ce"}, "name", "This contains characters that cannot be used."),
        ({"name": "Grace\r\nBcc: all"}, "name", "This contains characters that cannot be used."),
        ({"surname": LONG}, "surname", "Write 1 to 100 characters."),
        ({"password": "short"}, "password", "Write 15 to 128 characters."),
        ({"password": LONG}, "password", "This is empty or too long."),
        ({"password": "a phrase with Hopper"}, "password", "It must not contain the email address or the name."),
        ({"password": "passwordpassword"}, "password", "This is too common or too easily guessed."),
        ({"password": "a phrase with \0 in it"}, "password", "This contains characters that cannot be used."),
        ({"access_expires_at": "tomorrow"}, "access_expires_at", "This is not a date and time."),
        ({"access_expires_at": "2027-01-01T00:00+02:00"}, "access_expires_at", "This is not a date and time."),
        ({"access_expires_at": "2027-01-01\0"}, "access_expires_at", "This is not a date and time."),
        ({"access_expires_at": "275760-09-13T00:00"}, "access_expires_at", "This is not a date and time."),
    ],
)
def test_a_refusal_stands_at_its_field(house: House, fields: dict[str, str], refused: str, why: str) -> None:
    page = add(house, **{"access_expires_at": "2090-07-01T12:00", "visible": False, **fields})

    assert page.status == 422
    assert page.error(refused).startswith(why)
    assert page.find(f"#{refused}")["aria-invalid"] == "true"
    assert page.find("main > article > .notice.wrong").text == "One field needs another look."
    assert living(house) == []


def test_what_was_typed_is_kept_but_never_a_password(house: House) -> None:
    typed = {"name": '<b>"Grace', "access_expires_at": "2090-07-01T12:00"}
    page = add(house, email="nobody", password=PASSWORD, visible=False, active=True, **typed)

    assert page.find("#email")["value"] == "nobody"
    assert {name: page.find(f"#{name}")["value"] for name in typed} == typed
    assert page.find("#active").has_attr("checked")
    assert not page.find("#visible").has_attr("checked")
    assert PASSWORD not in page.response.text


def test_several_refusals_are_counted(house: House) -> None:
    page = add(house, email="nobody", name="", access_expires_at="soon")

    assert page.find("main > article > .notice.wrong").text == "3 fields need another look."


def test_halves_of_characters_are_no_names(house: House) -> None:
    """Browsers never send them. What is no UTF-8 stays as it was written in the form's body."""
    browser = house.owner()
    token = str(browser.get("/sub-users/new").find("main input[name=csrf]")["value"])
    body = f"csrf={token}&email=a%40example.com&name=%ED%A0%80&surname=%FF"

    answer = browser._client.post(  # noqa: SLF001  # no form of a page sends such bytes
        "/sub-users/new",
        data=body,
        base_url="https://portal.example",
        content_type="application/x-www-form-urlencoded",
    )

    assert answer.status_code == 303
    (one,) = living(house)
    assert (one["name"], one["surname"]) == ("%ED%A0%80", "%FF")


def test_an_email_that_is_taken_is_refused_at_its_field(house: House) -> None:
    house.account.let_in(email="colleague@example.com", name="Ada")

    page = add(house, email="Colleague@Example.com")

    assert page.status == 409
    assert page.error("email") == "One of your sub-users has this email already."
    assert page.find("#name")["value"] == "Grace"
    assert len(living(house)) == 1


@pytest.mark.parametrize("active", [True, False])
def test_a_form_that_is_sent_twice_makes_one_and_says_the_same(house: House, active: bool) -> None:
    browser = house.owner()
    form = browser.get("/sub-users/new")

    first = browser.submit(form, **FIELDS, active=active)
    again = browser.submit(form, **FIELDS, active=active)

    assert first.notice
    assert (again.status, again.path, again.notice) == (200, "/sub-users", first.notice)
    (one,) = living(house)
    assert one["status"] == ("active" if active else "inactive")
    assert sum(row["action"] == "sub_user.activated" for row in house.account.rows()) == active


def test_a_form_that_is_sent_again_later_is_refused(own_house: House) -> None:
    browser = own_house.owner()
    form = browser.get("/sub-users/new")
    browser.submit(form, **FIELDS)
    own_house.doors.service.clock.advance(minutes=2)  # type: ignore[attr-defined]  # the tests' own clock

    assert browser.submit(form, **FIELDS).status == 409


def test_a_form_that_was_altered_in_between_is_refused(house: House) -> None:
    browser = house.owner()
    form = browser.get("/sub-users/new")
    browser.submit(form, **FIELDS)

    again = browser.submit(form, **FIELDS, visible=False)

    assert again.status == 409
    assert again.error("email")


def test_who_was_changed_in_between_is_left_alone(house: House) -> None:
    """The button pressed twice does not activate somebody whom a colleague has just deactivated."""
    browser = house.owner()
    form = browser.get("/sub-users/new")
    browser.submit(form, **FIELDS, active=True)
    (one,) = living(house)
    house.doors.portal.patch(f"{house.account.path}/sub-users/{one['sub_user_id']}", json={"active": False})

    page = browser.submit(form, **FIELDS, active=True)

    assert page.notice.startswith("Added. Somebody has changed Grace Hopper since")
    assert living(house)[0]["status"] == "inactive"


def test_at_the_limit_the_page_explains(house: House) -> None:
    for _ in range(9):
        house.account.let_in()
    browser = house.owner()
    form = browser.get("/sub-users/new")
    house.account.let_in()

    refused = browser.submit(form, **FIELDS)
    instead = browser.get("/sub-users/new")

    assert (refused.status, instead.status) == (409, 409)
    for page in (refused, instead):
        assert page.find("main .notice.wrong").text.startswith("There is no room for another sub-user.")
    assert refused.find("#name")["value"] == "Grace"
    assert not instead.soup.select("main form")
    assert len(living(house)) == 10


def test_without_its_token_a_form_does_nothing(house: House) -> None:
    browser = house.owner()

    page = browser.submit(browser.get("/sub-users/new"), leave_out=("csrf",), **FIELDS)

    assert page.status == 403
    assert living(house) == []


def test_the_owner_is_on_record(house: House) -> None:
    add(house)

    (row,) = house.account.rows(action="sub_user.created")
    assert (row["actor"]["type"], row["ip"]) == ("main_account", "198.51.100.7")


def test_it_speaks_italian(new_house: Any) -> None:
    page = add(new_house(language="it"))

    assert page.find("html")["lang"] == "it"
    assert page.notice.startswith("Aggiunto. Grace Hopper non ha ancora accesso")
