"""Changes of a sub-user's e-mail over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.clients import is_session_active, require_problem
from tests.builders import deliver_mails

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClient, ApiClients


@pytest.fixture
def email() -> str:
    return f"corrected-{uuid4().hex[:8]}@company.example"


def test_email_can_be_changed(account: Account, portal: ApiClient, email: str) -> None:
    """The response equals a later read. The old e-mail and the sessions are invalid when it arrives."""
    sub_user = account.create_with_own_password()
    token, etag = sub_user.new_token(), sub_user.fetch_etag()

    changed: Any = portal.patch(sub_user.path, json={"email": email}, headers={"If-Match": etag})

    assert changed.status_code == 200
    assert changed.json == portal.get(sub_user.path).json
    assert (changed.json["email"], changed.json["credentials_mail"]) == (email, "pending")
    assert (changed.json["must_change_password"], changed.json["status"]) == (True, "active")
    assert changed.headers["ETag"] == sub_user.fetch_etag() != etag
    assert changed.headers["Event-Position"]
    assert not is_session_active(portal, token)
    for handle in (sub_user, replace(sub_user, email=email)):
        require_problem(handle.log_in(), 401, "login-refused")


def test_changed_email_is_found_in_the_list(account: Account, portal: ApiClient, email: str) -> None:
    """The former one is not."""
    sub_user = account.create_active()
    sub_user.change(email=email)
    for q, count in ((email, 1), (sub_user.email, 0)):
        page: Any = portal.get(f"{account.path}/sub-users", query_string={"q": q}).json
        assert [item["email"] for item in page["items"]] == [email] * count


def test_new_email_is_confirmed_by_its_credentials(account: Account, email: str) -> None:
    """A password in the same request is mailed there, and signs in."""
    sub_user = account.create_active()
    sub_user.change(email=email, password="another phrase for now")
    signed_in = replace(sub_user, email=email, password="another phrase for now").log_in()
    assert (signed_in.status_code, signed_in.json["must_change_password"]) == (201, True)  # type: ignore[index]


def test_repeated_change_records_nothing(account: Account, portal: ApiClient, email: str) -> None:
    """Another spelling of the same e-mail is no change either."""
    sub_user = account.create_active()
    sub_user.change(email=email)
    etag = sub_user.fetch_etag()
    for repeated in (email, email.upper(), f" {email} "):
        response = portal.patch(sub_user.path, json={"email": repeated})
        assert (response.status_code, response.headers["ETag"]) == (200, etag)
        assert "Event-Position" not in response.headers
        assert response.json["email"] == email  # type: ignore[index]


def test_taken_email_is_refused(account: Account, portal: ApiClient) -> None:
    """Nothing of the request is applied."""
    other, sub_user = account.create_sub_user(), account.create_active()
    before = sub_user.fetch()
    body = {"email": other.email.upper(), "name": "Ada"}
    require_problem(portal.patch(sub_user.path, json=body), 409, "sub-user-email-taken")
    assert sub_user.fetch() == before


def test_email_of_another_account_can_be_used(clients: ApiClients, account: Account) -> None:
    other = clients.register_account().create_sub_user()
    assert account.create_sub_user().change(email=other.email).json["email"] == other.email  # type: ignore[index]


def test_change_with_another_tag_is_refused(account: Account, portal: ApiClient, email: str) -> None:
    sub_user = account.create_active()
    response = portal.patch(sub_user.path, json={"email": email}, headers={"If-Match": '"1"'})
    require_problem(response, 412, "revision-mismatch")
    assert sub_user.fetch()["email"] == sub_user.email


def test_null_is_no_email(account: Account, portal: ApiClient) -> None:
    sub_user = account.create_sub_user()
    require_problem(portal.patch(sub_user.path, json={"email": None}), 422, "invalid-input", "email")


def test_mails_to_new_emails_are_limited(account: Account, portal: ApiClient, email: str) -> None:
    sub_user = account.create_active()
    for number in range(4):
        sub_user.change(email=f"{number}-{email}")
    response = portal.patch(sub_user.path, json={"email": email})
    require_problem(response, 429, "too-many-mails")
    assert int(response.headers["Retry-After"]) > 0


def test_history_has_the_former_and_the_new_email(clients: ApiClients, account: Account, email: str) -> None:
    """As with names, both are erased with the sub-user."""
    sub_user = account.create_active()
    sub_user.change(email=email)

    def changed() -> dict[str, Any]:
        page: Any = clients.auditor.get(f"{account.path}/history", query_string={"limit": 200}).json
        (item,) = [item for item in page["items"] if item["event"] == "SubUserEmailChanged"]
        return dict(item)

    item = changed()
    assert item["in_words"] == "Winds & Waves changed the email of Grace Hopper"
    assert item["changes"]["email"] == {"before": sub_user.email, "after": email}
    assert item["changes"].keys() == {"email", "credentials_mail"}
    account.portal.delete(sub_user.path)
    assert changed()["changes"]["email"] == {"before": "[erased]", "after": "[erased]"}


def test_personal_data_has_all_emails_and_mails(clients: ApiClients, account: Account, email: str) -> None:
    sub_user = account.create_active()
    deliver_mails(clients.service)
    sub_user.change(email=email)
    deliver_mails(clients.service)

    exported: Any = account.portal.get(f"{sub_user.path}/personal-data").json

    assert exported["profile"]["email"] == email
    emails = {row["details"].get("email") for row in exported["audit_log"]}
    assert {sub_user.email, email} <= emails
    assert [mail["notice"] for mail in exported["mails"]] == ["activation", "email_changed", "send_again"]
    assert {mail["state"] for mail in exported["mails"]} == {"sent"}
