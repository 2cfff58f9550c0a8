"""Adding sub-users in the console: validation errors and resubmitted forms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from api.console.sub_users import expiry
from application.errors import TooBusy
from tests.builders import deliver_mails, deliver_mails_to, plain_text

if TYPE_CHECKING:
    from tests.console.browsing import Page
    from tests.console.conftest import AccountConsole

FIELDS: dict[str, Any] = {"email": "colleague@example.com", "name": "Grace", "surname": "Hopper"}
PASSWORD = "words nobody would guess"
LONG = 10_000 * "x"


def list_sub_users(console: AccountConsole) -> list[dict[str, Any]]:
    """Return the account's sub-users as the portal sees them."""
    items: list[dict[str, Any]] = console.clients.portal.get(f"{console.account.path}/sub-users").json["items"]  # type: ignore[index]
    return items


def add(console: AccountConsole, **fields: Any) -> Page:
    browser = console.owner()
    return browser.submit(browser.get("/sub-users/new"), **{**FIELDS, **fields})


def test_sub_user_is_added_inactive_by_default(console: AccountConsole) -> None:
    page = add(console)

    assert (page.status, page.path) == (200, "/sub-users")
    assert page.success_message == "Grace Hopper added. They can't log in yet. Activate now"
    (sub_user,) = list_sub_users(console)
    assert page.find("#messages a")["href"] == f"/sub-users/{sub_user['sub_user_id']}/activate"
    assert {name: sub_user[name] for name in FIELDS} == FIELDS
    assert (sub_user["status"], sub_user["visible"], sub_user["access_expires_at"]) == ("inactive", True, None)


def test_flash_message_after_adding_appears_once(console: AccountConsole) -> None:
    browser = console.owner()
    page = browser.submit(browser.get("/sub-users/new"), **FIELDS)

    assert page.success_message
    assert not browser.get("/sub-users").success_message


def test_visibility_and_expiry_are_stored(console: AccountConsole) -> None:
    browser = console.owner()
    browser.set_cookie("__Host-subusers-time-zone", "Europe/Rome")
    form = browser.get("/sub-users/new")
    assert "Europe/Rome" in form.find("#expiry-hint").text

    browser.submit(form, **FIELDS, visible=False, expiry="other", access_expires_at="2090-07-01T12:00")

    (sub_user,) = list_sub_users(console)
    assert (sub_user["visible"], sub_user["access_expires_at"]) == (False, "2090-07-01T10:00:00Z")


def test_adding_and_activating_mails_the_password(own_console: AccountConsole) -> None:
    page = add(own_console, active=True, password=PASSWORD)

    assert page.success_message == "Added and activated. We're sending access data to colleague@example.com."
    (sub_user,) = list_sub_users(own_console)
    assert (sub_user["status"], sub_user["credentials_mail"]) == ("active", "pending")
    (mail,) = deliver_mails_to(own_console.clients.service, "colleague@example.com")
    assert PASSWORD in plain_text(mail)


def test_adding_and_activating_by_link_mails_no_password(own_console: AccountConsole) -> None:
    add(own_console, active=True, by_link=True)

    (sub_user,) = list_sub_users(own_console)
    assert (sub_user["status"], sub_user["credentials"]) == ("active", "link")
    mails = [plain_text(mail) for mail in deliver_mails(own_console.clients.service)]
    assert sum("/invitation/" in mail for mail in mails) == 1


def test_link_together_with_a_password_is_refused(console: AccountConsole) -> None:
    page = add(console, active=True, by_link=True, password=PASSWORD)

    assert page.status == 422
    assert page.error("by_link") == "Choose one: a link, or the temporary password above."
    assert page.find("#by_link")["aria-describedby"] == "by_link-error by_link-hint"
    assert list_sub_users(console) == []


@pytest.mark.parametrize("active", [True, False])
def test_past_expiry_is_refused(console: AccountConsole, active: bool) -> None:
    page = add(console, active=active, expiry="other", access_expires_at="2020-01-01T00:00")

    assert page.status == 422
    assert page.error("access_expires_at").startswith("This time has passed.")
    assert list_sub_users(console) == []


def test_failed_activation_leads_to_the_edit_form(console: AccountConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise TooBusy

    monkeypatch.setattr(console.clients.service.commands.sub_users, "change", fail)

    page = add(console, active=True)

    (sub_user,) = list_sub_users(console)
    assert sub_user["status"] == "inactive"
    assert page.path == f"/sub-users/{sub_user['sub_user_id']}/edit?why=not-activated"
    assert page.find("main .notice.wrong").text.startswith("Added, but not activated")


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"email": ""}, "email", "This is not a valid email address."),
        ({"email": "nobody"}, "email", "This is not a valid email address."),
        ({"email": "a\0@example.com"}, "email", "This contains characters that can't be used."),
        ({"email": LONG}, "email", "This is not a valid email address."),
        ({"name": " "}, "name", "Enter 1 to 100 characters."),
        ({"name": "Gr\0ce"}, "name", "This contains characters that can't be used."),
        ({"name": "Grace\r\nBcc: all"}, "name", "This contains characters that can't be used."),
        ({"surname": LONG}, "surname", "Enter 1 to 100 characters."),
        ({"password": "short"}, "password", "Enter 15 to 128 characters."),
        ({"password": LONG}, "password", "This is empty or too long."),
        ({"password": "a phrase with Hopper"}, "password", "Don't use the email address or the name."),
        ({"password": "passwordpassword"}, "password", "This is too common or too easy to guess."),
        ({"password": "a phrase with \0 in it"}, "password", "This contains characters that can't be used."),
        ({"access_expires_at": "tomorrow"}, "access_expires_at", "This is not a valid date and time."),
        ({"access_expires_at": "2027-01-01T00:00+02:00"}, "access_expires_at", "This is not a valid date and time."),
        ({"access_expires_at": "2027-01-01\0"}, "access_expires_at", "This is not a valid date and time."),
        ({"access_expires_at": "275760-09-13T00:00"}, "access_expires_at", "This is not a valid date and time."),
    ],
)
def test_invalid_field_is_reported_at_the_field(
    console: AccountConsole, fields: dict[str, str], field: str, reason: str
) -> None:
    page = add(console, **{"expiry": "other", "access_expires_at": "2090-07-01T12:00", "visible": False, **fields})

    assert page.status == 422
    assert page.error(field).startswith(reason)
    assert page.find(f"#{field}")["aria-invalid"] == "true"
    link = page.find(".notice.wrong[autofocus] a")
    assert link["href"] == f"#{field}"
    assert reason in link.text
    assert list_sub_users(console) == []


def test_refused_form_keeps_the_values_but_not_the_password(console: AccountConsole) -> None:
    values = {"name": '<b>"Grace', "access_expires_at": "2090-07-01T12:00"}
    page = add(console, email="nobody", password=PASSWORD, visible=False, active=True, **values)

    assert page.find("#email")["value"] == "nobody"
    assert {name: page.find(f"#{name}")["value"] for name in values} == values
    assert page.find("#active").has_attr("checked")
    assert not page.find("#visible").has_attr("checked")
    assert PASSWORD not in page.response.text


def test_summary_names_every_invalid_field_and_takes_the_focus(console: AccountConsole) -> None:
    page = add(console, email="nobody", name="", expiry="other", access_expires_at="soon")

    summary = page.find("main > article > .notice.wrong")
    assert {str(link["href"]) for link in summary.select("a")} == {"#email", "#name", "#access_expires_at"}
    assert all(page.find(str(link["href"]))["aria-invalid"] == "true" for link in summary.select("a"))
    assert summary["tabindex"] == "-1"
    assert [element.name for element in page.soup.select("[autofocus]")] == ["div"]


@pytest.mark.parametrize("password", ["short", "passwordpassword"])
def test_taken_email_is_reported_together_with_other_errors(console: AccountConsole, password: str) -> None:
    """A password can be refused by the form or by the command."""
    console.account.create_sub_user(email=FIELDS["email"])

    page = add(console, email=FIELDS["email"].upper(), password=password)

    assert page.status == 422
    assert page.error("password")
    assert page.error("email") == "One of your sub-users already has this email."


ENDS = {
    # now in Rome: the ends of access that the form offers, in UTC
    "2093-11-30T12:00": {
        "friday": "2093-12-04T17:00",
        "thirty_days": "2093-12-30T17:00",
        "end_of_month": "2093-11-30T17:00",
    },
    "2093-12-04T17:59": {
        "friday": "2093-12-04T17:00",
        "thirty_days": "2094-01-03T17:00",
        "end_of_month": "2093-12-31T17:00",
    },
    "2093-12-04T18:00": {
        "friday": "2093-12-11T17:00",
        "thirty_days": "2094-01-03T17:00",
        "end_of_month": "2093-12-31T17:00",
    },
    "2094-02-28T19:00": {
        "friday": "2094-03-05T17:00",
        "thirty_days": "2094-03-30T16:00",
        "end_of_month": "2094-03-31T16:00",
    },
}


@pytest.mark.parametrize("now", ENDS)
def test_common_ends_of_access_are_one_choice(
    own_console: AccountConsole, monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    """They are in the future and in the visitor's time zone. The form shows which time each of them means."""
    rome = ZoneInfo("Europe/Rome")
    browser = own_console.owner()
    browser.set_cookie("__Host-subusers-time-zone", "Europe/Rome")
    moment = datetime.fromisoformat(now).replace(tzinfo=rome)
    monkeypatch.setattr(expiry, "now", lambda: moment)
    form = browser.get("/sub-users/new")

    for number, (choice, end) in enumerate(ENDS[now].items()):
        local = datetime.fromisoformat(end).replace(tzinfo=UTC).astimezone(rome)
        label = form.find(f"input[name=expiry][value={choice}]").parent
        assert label is not None
        assert label.text.endswith(f"{local.day} {local:%b} {local.year}, 18:00")
        browser.submit(form, **{**FIELDS, "email": f"{number}@company.example", "expiry": choice})

    stored = [sub_user["access_expires_at"] for sub_user in list_sub_users(own_console)]
    assert stored == [f"{end}:00Z" for end in ENDS[now].values()]


@pytest.mark.parametrize("choice", ["none", "other", ""])
def test_access_without_an_end_can_be_chosen(console: AccountConsole, choice: str) -> None:
    add(console, expiry=choice)

    assert list_sub_users(console)[0]["access_expires_at"] is None


def test_unknown_end_of_access_is_refused(console: AccountConsole) -> None:
    assert add(console, expiry="whenever").status == 422


def test_invalid_utf_8_in_a_name_stays_percent_encoded(console: AccountConsole) -> None:
    """Browsers never send such bytes."""
    browser = console.owner()
    token = str(browser.get("/sub-users/new").find("main input[name=csrf]")["value"])
    body = f"csrf={token}&email=a%40example.com&name=%ED%A0%80&surname=%FF"

    response = browser._client.post(  # noqa: SLF001  # no form of a page sends such bytes
        "/sub-users/new",
        data=body,
        base_url="https://portal.example",
        content_type="application/x-www-form-urlencoded",
    )

    assert response.status_code == 303
    (sub_user,) = list_sub_users(console)
    assert (sub_user["name"], sub_user["surname"]) == ("%ED%A0%80", "%FF")


def test_email_of_another_sub_user_is_refused(console: AccountConsole) -> None:
    console.account.create_sub_user(email="colleague@example.com", name="Ada")

    page = add(console, email="Colleague@Example.com")

    assert page.status == 409
    assert page.error("email") == "One of your sub-users already has this email."
    assert page.find("#name")["value"] == "Grace"
    assert len(list_sub_users(console)) == 1


@pytest.mark.parametrize("active", [True, False])
def test_resubmitted_form_is_idempotent(console: AccountConsole, active: bool) -> None:
    browser = console.owner()
    form = browser.get("/sub-users/new")

    first = browser.submit(form, **FIELDS, active=active)
    second_page = browser.submit(form, **FIELDS, active=active)

    assert first.success_message
    assert (second_page.status, second_page.path, second_page.success_message) == (
        200,
        "/sub-users",
        first.success_message,
    )
    (sub_user,) = list_sub_users(console)
    assert sub_user["status"] == ("active" if active else "inactive")
    assert sum(row["action"] == "sub_user.activated" for row in console.account.audit_log_rows()) == active


def test_form_resubmitted_after_two_minutes_is_refused(own_console: AccountConsole) -> None:
    browser = own_console.owner()
    form = browser.get("/sub-users/new")
    browser.submit(form, **FIELDS)
    own_console.clients.service.clock.advance(minutes=2)  # type: ignore[attr-defined]  # the tests' own clock

    assert browser.submit(form, **FIELDS).status == 409


def test_resubmitted_form_with_other_values_is_refused(console: AccountConsole) -> None:
    browser = console.owner()
    form = browser.get("/sub-users/new")
    browser.submit(form, **FIELDS)

    second_page = browser.submit(form, **FIELDS, visible=False)

    assert second_page.status == 409
    assert second_page.error("email")


def test_resubmitted_form_does_not_undo_a_later_change(console: AccountConsole) -> None:
    """A double click on "Save" does not reactivate a sub-user deactivated in between."""
    browser = console.owner()
    form = browser.get("/sub-users/new")
    browser.submit(form, **FIELDS, active=True)
    (sub_user,) = list_sub_users(console)
    console.clients.portal.patch(
        f"{console.account.path}/sub-users/{sub_user['sub_user_id']}", json={"status": "inactive"}
    )

    page = browser.submit(form, **FIELDS, active=True)

    assert page.success_message.startswith("Grace Hopper added, and changed since then")
    assert list_sub_users(console)[0]["status"] == "inactive"


def test_adding_beyond_the_limit_is_refused_with_an_explanation(console: AccountConsole) -> None:
    for _ in range(9):
        console.account.create_sub_user()
    browser = console.owner()
    form = browser.get("/sub-users/new")
    console.account.create_sub_user()

    refused = browser.submit(form, **FIELDS)
    new_form = browser.get("/sub-users/new")

    assert (refused.status, new_form.status) == (409, 409)
    for page in (refused, new_form):
        assert page.find("main .notice.wrong").text.startswith("You've used all 10 places.")
    assert refused.find("#name")["value"] == "Grace"
    assert not new_form.soup.select("main form")
    assert len(list_sub_users(console)) == 10


def test_add_form_without_csrf_token_is_refused(console: AccountConsole) -> None:
    browser = console.owner()

    page = browser.submit(browser.get("/sub-users/new"), leave_out=("csrf",), **FIELDS)

    assert page.status == 403
    assert list_sub_users(console) == []


def test_audit_log_records_the_owner_as_actor(console: AccountConsole) -> None:
    add(console)

    (row,) = console.account.audit_log_rows(action="sub_user.created")
    assert (row["actor"]["type"], row["ip"]) == ("main_account", "198.51.100.7")


def test_add_form_is_translated_into_italian(new_console: Any) -> None:
    page = add(new_console(language="it"))

    assert page.find("html")["lang"] == "it"
    assert page.success_message.startswith("Grace Hopper: aggiunto. Non può ancora accedere.")
