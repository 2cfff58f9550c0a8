"""Editing sub-users in the console: validation errors and edit conflicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.clients import TEMPORARY_PASSWORD, is_session_active
from tests.builders import deliver_mails, deliver_mails_to, mailed_password, plain_text

if TYPE_CHECKING:
    from tests.api.clients import SubUser
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import AccountConsole

PASSWORD = "words nobody would guess"
HOSTILE = '"><script>alert(1)</script>'


def edit_form(browser: Browser, sub_user: SubUser) -> Page:
    page = browser.get(f"/sub-users/{sub_user.sub_user_id}/edit")
    assert page.status == 200, page.text
    return page


def save(console: AccountConsole, sub_user: SubUser, **fields: Any) -> Page:
    browser = console.owner()
    return browser.submit(edit_form(browser, sub_user), **fields)


def count_invitations(console: AccountConsole) -> int:
    """Return the number of mails with an invitation, after all mails have been delivered."""
    return sum("/invitation/" in plain_text(mail) for mail in deliver_mails(console.clients.service))


def sub_user_actions(console: AccountConsole) -> list[str]:
    """Return the actions on sub-users in the audit log without logins and logouts, newest first."""
    actions = (str(row["action"]) for row in console.account.audit_log_rows())
    return [action for action in actions if action.startswith("sub_user.") and "logged" not in action]


def test_edit_form_shows_the_stored_values(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user(name=HOSTILE, visible=False, access_expires_at="2090-07-01T10:00:30Z")
    browser = console.owner()
    browser.set_cookie("__Host-subusers-time-zone", "Europe/Rome")

    page = edit_form(browser, sub_user)

    assert page.find("#name")["value"] == HOSTILE
    assert page.find("#surname")["value"] == "Hopper"
    assert page.find("#access_expires_at")["value"] == "2090-07-01T12:00"
    assert not page.find("#visible").has_attr("checked")
    assert not page.find("#active").has_attr("checked")
    assert not page.find("#password").has_attr("value")
    assert page.find("#email")["value"] == sub_user.email
    assert not page.soup.select("main script")


def test_saving_an_unchanged_form_records_no_event(console: AccountConsole) -> None:
    """The form omits the seconds of the expiry; this does not count as a change."""
    sub_user = console.account.create_active(access_expires_at="2090-07-01T10:00:30Z")
    before = sub_user.fetch()

    page = save(console, sub_user)

    assert (page.path, page.success_message) == ("/sub-users", "Nothing was changed.")
    assert sub_user.fetch() == before
    assert sub_user_actions(console) == ["sub_user.activated", "sub_user.created"]


def test_only_changed_fields_are_recorded(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()

    page = save(console, sub_user, name="Gracie")

    assert page.success_message == "Saved."
    assert sub_user.fetch()["name"] == "Gracie"
    assert sub_user_actions(console) == ["sub_user.details_changed", "sub_user.created"]


def test_all_fields_can_be_changed_in_one_form(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()

    save(
        console,
        sub_user,
        name="A",
        surname="B",
        visible=False,
        active=True,
        expiry="other",
        access_expires_at="2090-07-01T12:00",
    )

    stored = sub_user.fetch()
    assert (stored["name"], stored["surname"], stored["visible"], stored["status"]) == ("A", "B", False, "active")
    assert stored["access_expires_at"] == "2090-07-01T12:00:00Z"


def test_empty_expiry_field_removes_the_expiry(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user(access_expires_at="2090-07-01T10:00:00Z")

    save(console, sub_user, access_expires_at="")

    assert sub_user.fetch()["access_expires_at"] is None


def test_expiry_is_parsed_in_the_time_zone_of_the_form(console: AccountConsole) -> None:
    """The browser's time zone may change between rendering and submission."""
    sub_user = console.account.create_sub_user(access_expires_at="2090-07-01T10:00:00Z")
    browser = console.owner()
    form = edit_form(browser, sub_user)
    browser.set_cookie("__Host-subusers-time-zone", "Asia/Tokyo")

    assert browser.submit(form).success_message == "Nothing was changed."
    browser.submit(form, access_expires_at="2090-07-01T11:00")
    assert sub_user.fetch()["access_expires_at"] == "2090-07-01T11:00:00Z"


def test_first_activation_mails_the_initial_password(own_console: AccountConsole) -> None:
    sub_user = own_console.account.create_sub_user()

    page = save(own_console, sub_user, active=True)

    assert page.success_message == f"Activated. We're sending access data to {sub_user.email}."
    assert "Sending" in page.find("#list tbody").text
    (mail,) = deliver_mails_to(own_console.clients.service, sub_user.email)
    assert TEMPORARY_PASSWORD in plain_text(mail)
    assert "Sent" in own_console.owner().get(f"/sub-users/{sub_user.sub_user_id}").find(".facts").text


def test_reactivation_mails_a_new_temporary_password(own_console: AccountConsole) -> None:
    sub_user = own_console.account.create_with_own_password()
    sub_user.change(status="inactive")

    page = save(own_console, sub_user, active=True)

    assert page.success_message.startswith("Activated.")
    assert mailed_password(deliver_mails(own_console.clients.service)[-1]) not in {
        TEMPORARY_PASSWORD,
        sub_user.password,
    }


def test_deactivation_ends_all_sessions(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    token = sub_user.new_token()

    page = save(console, sub_user, active=False)

    assert page.success_message == "Deactivated. Grace Hopper no longer has access, and all sessions have ended."
    assert not is_session_active(console.clients.portal, token)
    assert page.find("#list .chip.bad").text == "Inactive"


@pytest.mark.parametrize(("language", "informed"), [("en", "the old address"), ("it", "vecchio indirizzo")])
def test_form_tells_what_a_new_email_causes(console: AccountConsole, language: str, informed: str) -> None:
    """The hint is associated with the field."""
    sub_user = console.account.create_active()
    browser = console.owner()
    browser.set_cookie("__Host-subusers-language", language)
    page = edit_form(browser, sub_user)
    field = page.find("#email")
    assert field["value"] == sub_user.email
    assert informed in page.find(f"#{field['aria-describedby']}").text


def test_activation_by_link_mails_no_password(own_console: AccountConsole) -> None:
    """Afterwards the form suggests a link for a new e-mail, too."""
    sub_user = own_console.account.create_sub_user()
    page = save(own_console, sub_user, active=True, by_link=True)
    assert page.success_message == f"Activated. We're sending access data to {sub_user.email}."
    assert count_invitations(own_console) == 1

    form = edit_form(own_console.owner(), sub_user)
    assert form.find("#by_link").has_attr("checked")
    save(own_console, sub_user, name="Amazing")
    assert count_invitations(own_console) == 1
    save(own_console, sub_user, email="corrected@company.example", by_link=False)
    assert sub_user.fetch()["credentials"] == "password"


def test_new_email_of_an_active_sub_user_is_mailed(own_console: AccountConsole) -> None:
    """Their sessions end, and the old e-mail is informed."""
    sub_user = own_console.account.create_active()
    deliver_mails(own_console.clients.service)
    token = sub_user.new_token()
    email = "corrected@company.example"

    page = save(own_console, sub_user, email=email)

    assert page.success_message == (
        f"New email saved. We're sending new access data to {email}. The old email and password no longer work, and "
        "all sessions have ended."
    )
    assert email in page.find("#list tbody").text
    assert not is_session_active(own_console.clients.portal, token)
    counts = [len(deliver_mails_to(own_console.clients.service, address)) for address in (email, sub_user.email)]
    assert counts == [1, 2]
    assert sub_user_actions(own_console)[:4] == [
        *("sub_user.credentials_mailed", "sub_user.credentials_mailed"),
        *("sub_user.password_reset", "sub_user.email_changed"),
    ]


def test_new_email_of_an_inactive_sub_user_waits(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    email = f"corrected-{sub_user.email}"

    page = save(console, sub_user, email=email)

    assert page.success_message == (
        f"New email saved. Grace Hopper is inactive: activate them to send access data to {email}."
    )
    assert sub_user_actions(console) == ["sub_user.email_changed", "sub_user.created"]


def test_another_spelling_of_the_email_is_no_change(console: AccountConsole) -> None:
    sub_user = console.account.create_active()
    assert save(console, sub_user, email=f" {sub_user.email.upper()} ").success_message == "Nothing was changed."


def test_email_of_another_sub_user_is_refused(console: AccountConsole) -> None:
    """The form keeps what was entered."""
    other, sub_user = console.account.create_sub_user(), console.account.create_sub_user()

    page = save(console, sub_user, email=other.email, name="Ada")

    assert (page.status, page.error("email")) == (409, "One of your sub-users already has this email.")
    assert (page.find("#email")["value"], page.find("#name")["value"]) == (other.email, "Ada")
    assert sub_user.fetch()["name"] == "Grace"


def test_new_password_of_an_active_sub_user_is_mailed(own_console: AccountConsole) -> None:
    sub_user = own_console.account.create_with_own_password()
    token = sub_user.new_token()

    page = save(own_console, sub_user, password=PASSWORD)

    assert page.success_message.startswith(f"New password set. We're sending access data to {sub_user.email}.")
    assert PASSWORD in plain_text(deliver_mails(own_console.clients.service)[-1])
    assert not is_session_active(own_console.clients.portal, token)


def test_new_password_of_an_inactive_sub_user_is_mailed_on_activation(own_console: AccountConsole) -> None:
    sub_user = own_console.account.create_sub_user()

    page = save(own_console, sub_user, password=PASSWORD)

    assert (
        page.success_message
        == f"Saved. Grace Hopper is inactive: activate them to send access data to {sub_user.email}."
    )
    assert deliver_mails_to(own_console.clients.service, sub_user.email) == []
    save(own_console, sub_user, active=True)
    assert PASSWORD in plain_text(deliver_mails_to(own_console.clients.service, sub_user.email)[-1])


def test_reactivation_with_a_password_mails_that_password(own_console: AccountConsole) -> None:
    sub_user = own_console.account.create_with_own_password()
    sub_user.change(status="inactive")

    save(own_console, sub_user, active=True, password=PASSWORD)

    assert PASSWORD in plain_text(deliver_mails(own_console.clients.service)[-1])


def test_past_expiry_is_refused(console: AccountConsole) -> None:
    """Whoever wants to end access at once deactivates the person, and is told so."""
    sub_user = console.account.create_with_own_password()
    token = sub_user.new_token()

    page = save(console, sub_user, expiry="other", access_expires_at="2020-01-01T00:00")

    assert page.status == 422
    assert "deactivate them" in page.error("access_expires_at")
    assert is_session_active(console.clients.portal, token)


def test_expired_sub_user_cannot_be_activated(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user(access_expires_at="2020-01-01T00:00:00Z")

    page = save(console, sub_user, active=True)

    assert page.status == 409
    assert page.error("access_expires_at").startswith("This time has passed.")
    assert sub_user.fetch()["status"] == "inactive"


def test_new_password_of_an_expired_sub_user_is_refused(console: AccountConsole) -> None:
    sub_user = console.account.create_active()
    sub_user.change(access_expires_at="2020-01-01T00:00:00Z")
    before = sub_user.fetch()

    page = save(console, sub_user, password=PASSWORD)

    assert page.status == 409
    assert page.error("access_expires_at").startswith("This time has passed.")
    assert sub_user.fetch() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", ""),
        ("email", "grace"),
        ("name", ""),
        ("name", 10_000 * "x"),
        ("surname", "Hop\0per"),
        ("password", "short"),
        ("password", "a phrase with Hopper"),
        ("password", 10_000 * "x"),
        ("access_expires_at", "never"),
    ],
)
def test_invalid_field_is_reported_and_nothing_changes(console: AccountConsole, field: str, value: str) -> None:
    sub_user = console.account.create_sub_user()

    page = save(console, sub_user, **{"visible": False, "active": True, "expiry": "other", field: value})

    assert page.status == 422
    assert page.error(field)
    assert page.find("#active").has_attr("checked")
    assert not page.find("#visible").has_attr("checked")
    assert field != "password" or value not in page.response.text
    assert sub_user_actions(console) == ["sub_user.created"]


def test_corrected_form_is_saved(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    refused = browser.submit(edit_form(browser, sub_user), name="", active=True)

    assert browser.submit(refused, name="Gracie").success_message.startswith("Activated.")


def submit_after_change(
    console: AccountConsole, sub_user: SubUser, browser: Browser, change: dict[str, Any], **fields: Any
) -> Page:
    """Submit the form after the portal has changed the sub-user."""
    form = edit_form(browser, sub_user)
    sub_user.change(**change)
    return browser.submit(form, **fields)


SURNAME = {"surname": "Murray"}


def conflict_rows(page: Page) -> list[list[str]]:
    return [[cell.get_text(" ", strip=True) for cell in row.select("th, td")] for row in page.soup.select("tbody tr")]


def test_changes_of_different_fields_are_merged(console: AccountConsole) -> None:
    """What the other one changed is kept, and is not taken for a change of the visitor."""
    sub_user = console.account.create_sub_user()

    page = submit_after_change(console, sub_user, console.owner(), {**SURNAME, "visible": False}, name="Gracie")

    assert page.success_message == "Saved. Changes made elsewhere in the meantime were kept."
    stored = sub_user.fetch()
    assert (stored["name"], stored["surname"], stored["visible"]) == ("Gracie", "Murray", False)


def test_switch_that_was_left_alone_does_not_undo_a_deactivation(console: AccountConsole) -> None:
    sub_user = console.account.create_active()

    submit_after_change(console, sub_user, console.owner(), {"status": "inactive"}, name="Gracie")

    assert (sub_user.fetch()["status"], sub_user.fetch()["name"]) == ("inactive", "Gracie")


def test_conflict_page_tells_who_changed_what(console: AccountConsole) -> None:
    """Only the field that both changed needs a choice. The stored version is chosen at first."""
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    form = edit_form(browser, sub_user)
    console.clients.portal.with_headers(X_Actor="Mario of the portal").patch(
        sub_user.path, json={**SURNAME, "visible": False}
    )

    page = browser.submit(form, surname="Brewster <b>", name="Gracie", active=True)

    assert page.status == 409
    assert page.find("h1").text == "Grace Murray changed while you were editing"
    rows = conflict_rows(page)
    at = page.soup.select("tbody time")[0].text
    assert rows == [
        ["Name", "Grace", "Not changed", "Gracie"],
        ["Surname", "Hopper", f"Murray Mario of the portal · {at}", "Brewster <b>"],
        ["Visibility", "Visible", f"Hidden Mario of the portal · {at}", "Not changed"],
        ["Status", "Inactive", "Not changed", "Active"],
    ]
    assert [radio["value"] for radio in page.soup.select("input[type=radio][checked]")] == ["Murray"]
    assert not page.soup.select("#password")
    assert sub_user.fetch()["name"] == "Grace"


@pytest.mark.parametrize("choice", ["Murray", "Brewster"])
def test_conflict_is_resolved_by_a_choice(console: AccountConsole, choice: str) -> None:
    """Everything else is merged."""
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    page = submit_after_change(
        console, sub_user, browser, {**SURNAME, "visible": False}, surname="Brewster", name="Gracie", active=True
    )

    saved = browser.submit(page, surname=choice)

    assert saved.success_message.startswith("Activated.")
    stored = sub_user.fetch()
    assert (stored["name"], stored["surname"], stored["visible"]) == ("Gracie", choice, False)
    assert stored["status"] == "active"


@pytest.mark.parametrize(
    ("change", "fields", "choices"),
    [
        ({"email": "a@company.example"}, {"email": "b@company.example"}, ["a@company.example", "b@company.example"]),
        (
            {"access_expires_at": "2090-07-01T12:00:00Z"},
            {"expiry": "other", "access_expires_at": "2091-07-01T12:00"},
            ["2090-07-01T12:00", "2091-07-01T12:00"],
        ),
    ],
)
def test_each_field_can_be_in_conflict(
    console: AccountConsole, change: dict[str, Any], fields: dict[str, Any], choices: list[str]
) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()

    page = submit_after_change(console, sub_user, browser, change, **fields)

    assert [radio["value"] for radio in page.soup.select("input[type=radio]")] == choices
    (name,) = change
    choice: dict[str, Any] = {name: choices[1]}
    browser.submit(page, **choice)
    assert str(sub_user.fetch()[name]).startswith(choices[1])


def test_changes_can_be_discarded(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    page = submit_after_change(console, sub_user, browser, SURNAME, surname="Brewster", name="Gracie")

    (discard,) = (link for link in page.soup.select("main .actions a") if link.text == "Discard my changes")
    form = browser.get(str(discard["href"]))

    assert (form.find("#name")["value"], form.find("#surname")["value"]) == ("Grace", "Murray")
    assert browser.submit(form).success_message == "Nothing was changed."


def test_conflict_page_requires_the_password_again(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()

    page = submit_after_change(console, sub_user, browser, SURNAME, surname="Brewster", password=PASSWORD)

    assert PASSWORD not in page.response.text
    assert "Enter it again" in page.find("#password-hint").text
    assert browser.submit(page, password=PASSWORD).success_message.startswith("Saved. Grace Murray is inactive")


def test_conflict_during_conflict_resolution_is_shown(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    page = submit_after_change(console, sub_user, browser, SURNAME, surname="Brewster")
    sub_user.change(surname="Hopper-Murray")

    second_page = browser.submit(page, surname="Brewster")

    assert second_page.status == 409
    assert conflict_rows(second_page)[0][:2] == ["Surname", "Murray"]
    assert "Hopper-Murray" in second_page.text


def test_refused_form_keeps_the_values_that_it_was_opened_with(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    refused = submit_after_change(console, sub_user, browser, SURNAME, name="", surname="Brewster")

    assert refused.status == 422
    assert browser.submit(refused, name="Gracie").status == 409


def test_change_between_merge_and_append_is_merged_too(
    console: AccountConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    form = edit_form(browser, sub_user)
    change = console.clients.service.commands.sub_users.change

    def change_after_conflicting_write(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        sub_user.change(**SURNAME)
        return change(*args, **kwargs)

    monkeypatch.setattr(console.clients.service.commands.sub_users, "change", change_after_conflicting_write)

    page = browser.submit(form, surname="Brewster", name="Gracie")

    assert page.status == 409
    assert "Murray" in page.text
    assert sub_user.fetch()["name"] == "Grace"


def test_identical_concurrent_changes_do_not_conflict(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()

    page = submit_after_change(console, sub_user, console.owner(), SURNAME, surname="Murray")

    assert page.success_message == "Nothing was changed."


@pytest.mark.parametrize("revision", ["", "x", "-1", "\u0661", "9" * 400, "99"])
def test_form_without_the_values_that_it_was_opened_with_overwrites_nothing(
    console: AccountConsole, revision: str
) -> None:
    """A form of an earlier release, or one that was altered."""
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    form = edit_form(browser, sub_user)

    page = browser.submit(form, leave_out=("base_name",), revision=revision, name="Gracie")

    assert page.status == 409
    assert sub_user.fetch()["name"] == "Grace"


def test_concurrent_login_does_not_conflict(console: AccountConsole) -> None:
    sub_user = console.account.create_active()
    browser = console.owner()
    form = edit_form(browser, sub_user)
    sub_user.new_token()

    assert browser.submit(form, name="Gracie").success_message == "Saved."


def test_editing_a_deleted_sub_user_returns_404(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    form = edit_form(browser, sub_user)
    console.clients.portal.delete(sub_user.path)

    for page in (browser.submit(form, name="Gracie"), browser.get(form.path)):
        assert (page.status, page.find("h1").text) == (404, "Sub-user not found")
        assert "have been deleted" in page.text


def test_sub_user_of_another_account_cannot_be_edited(console: AccountConsole, new_console: Any) -> None:
    sub_user = console.account.create_sub_user()
    browser = new_console().owner()
    token = str(browser.get("/sub-users/new").find("main input[name=csrf]")["value"])
    path = f"/sub-users/{sub_user.sub_user_id}/edit"

    assert browser.get(path).status == 404
    assert browser.post(path, {"csrf": token, "name": "A", "surname": "B", "revision": "1"}).status == 404
    assert sub_user.fetch()["name"] == "Grace"
