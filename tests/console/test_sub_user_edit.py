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

    save(console, sub_user, name="A", surname="B", visible=False, active=True, access_expires_at="2090-07-01T12:00")

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
    assert "Sent" in own_console.owner().get("/sub-users").find("#list tbody").text


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


def test_conflict_keeps_the_submitted_email(console: AccountConsole) -> None:
    """Both versions are shown, and the submitted one can be saved."""
    sub_user = console.account.create_sub_user()
    email = f"corrected-{sub_user.email}"
    browser = console.owner()
    form = edit_form(browser, sub_user)
    sub_user.change(name="Ada")

    page = browser.submit(form, email=email)

    assert page.status == 409
    assert {sub_user.email, email} <= {cell.text for cell in page.soup.select("tr.differs td bdi")}
    browser.submit(page)
    assert (sub_user.fetch()["email"], sub_user.fetch()["name"]) == (email, "Grace")


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


def test_setting_a_past_expiry_ends_all_sessions(console: AccountConsole) -> None:
    sub_user = console.account.create_with_own_password()
    token = sub_user.new_token()

    page = save(console, sub_user, access_expires_at="2020-01-01T00:00")

    assert page.success_message == "Saved. The access of Grace Hopper has expired, and all sessions have ended."
    assert not is_session_active(console.clients.portal, token)


def test_expired_sub_user_cannot_be_activated(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user(access_expires_at="2020-01-01T00:00:00Z")

    page = save(console, sub_user, active=True)

    assert page.status == 409
    assert "This time has passed, so they couldn't log in." in page.text
    assert sub_user.fetch()["status"] == "inactive"


def test_new_password_of_an_expired_sub_user_is_refused(console: AccountConsole) -> None:
    """The access expired earlier, or the same form sets the expiry."""
    expired, expiring = console.account.create_active(), console.account.create_active()
    expired.change(access_expires_at="2020-01-01T00:00:00Z")

    for sub_user in (expired, expiring):
        before = sub_user.fetch()
        page = save(console, sub_user, password=PASSWORD, access_expires_at="2020-01-01T00:00")

        assert page.status == 409
        assert "This time has passed, so they couldn't log in." in page.text
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

    page = save(console, sub_user, **{"visible": False, "active": True, field: value})

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


def submit_after_conflicting_change(
    console: AccountConsole, sub_user: SubUser, browser: Browser, **fields: Any
) -> Page:
    """Submit the form after the portal has changed the surname."""
    form = edit_form(browser, sub_user)
    sub_user.change(surname="Murray")
    return browser.submit(form, **fields)


def test_conflict_page_shows_both_versions(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()

    page = submit_after_conflicting_change(
        console, sub_user, console.owner(), name="Gracie <b>", active=True, access_expires_at="2090-07-01T12:00"
    )

    assert page.status == 409
    rows = [[cell.get_text(" ", strip=True) for cell in row.select("th, td")] for row in page.soup.select("tbody tr")]
    assert rows == [
        ["Email", sub_user.email, sub_user.email, ""],
        ["Name", "Grace", "Gracie <b>", "Different"],
        ["Surname", "Murray", "Hopper", "Different"],
        ["Visibility", "Visible", "Visible", ""],
        ["Status", "Inactive", "Active", "Different"],
        ["Access expires", "Never", "1 Jul 2090, 12:00", "Different"],
    ]
    assert len(page.soup.select("tr.differs")) == 4
    assert not page.soup.select("#password")
    assert sub_user.fetch()["name"] == "Grace"


def test_conflict_can_be_resolved_with_the_stored_values(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    page = submit_after_conflicting_change(console, sub_user, browser, name="Gracie")

    form = browser.get(str(page.find("main .actions a.btn")["href"]))

    assert (form.find("#name")["value"], form.find("#surname")["value"]) == ("Grace", "Murray")
    assert browser.submit(form).success_message == "Nothing was changed."


def test_conflict_can_be_resolved_with_the_submitted_values(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    page = submit_after_conflicting_change(console, sub_user, browser, name="Gracie", visible=False, active=True)

    saved = browser.submit(page)

    assert saved.success_message.startswith("Activated.")
    stored = sub_user.fetch()
    assert (stored["name"], stored["surname"], stored["visible"]) == ("Gracie", "Hopper", False)
    assert stored["status"] == "active"


def test_conflict_page_requires_the_password_again(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()

    page = submit_after_conflicting_change(console, sub_user, browser, password=PASSWORD)

    assert PASSWORD not in page.response.text
    assert "Enter it again" in page.find("#password-hint").text
    assert browser.submit(page, password=PASSWORD).success_message.startswith("Saved. Grace Hopper is inactive")


def test_conflict_during_conflict_resolution_is_shown(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    page = submit_after_conflicting_change(console, sub_user, browser, name="Gracie")
    sub_user.change(surname="Brewster")

    second_page = browser.submit(page)

    assert second_page.status == 409
    assert "Brewster" in second_page.text


def test_refused_form_keeps_the_revision(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    refused = submit_after_conflicting_change(console, sub_user, browser, name="")

    assert refused.status == 422
    assert browser.submit(refused, name="Gracie").status == 409


def test_change_between_revision_check_and_append_is_a_conflict(
    console: AccountConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub_user = console.account.create_sub_user()
    browser = console.owner()
    form = edit_form(browser, sub_user)
    change = console.clients.service.commands.sub_users.change

    def change_after_conflicting_write(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        sub_user.change(surname="Murray")
        return change(*args, **kwargs)

    monkeypatch.setattr(console.clients.service.commands.sub_users, "change", change_after_conflicting_write)

    page = browser.submit(form, name="Gracie")

    assert page.status == 409
    assert "Murray" in page.text


def test_identical_concurrent_changes_do_not_conflict(console: AccountConsole) -> None:
    sub_user = console.account.create_sub_user()

    assert (
        submit_after_conflicting_change(console, sub_user, console.owner(), surname="Murray").success_message
        == "Nothing was changed."
    )


@pytest.mark.parametrize("revision", ["", "x", "-1", "\u0661", "9" * 400, "99"])
def test_unknown_revision_is_a_conflict(console: AccountConsole, revision: str) -> None:
    sub_user = console.account.create_sub_user()

    assert save(console, sub_user, revision=revision, name="Gracie").status == 409
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
