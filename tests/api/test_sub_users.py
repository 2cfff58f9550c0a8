"""Sub-users over HTTP: creation, reads, changes, credentials mails, and deletion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.clients import OWN_PASSWORD, TEMPORARY_PASSWORD, is_session_active, require_problem

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClient

FIELDS = {
    *("sub_user_id", "account_id", "email", "name", "surname", "status", "visible", "created_at", "last_login_at"),
    *("access_expires_at", "must_change_password", "credentials_mail", "locked", "has_second_factor"),
    *("temporary_password_expires_at", "credentials"),
}
GRACE = {"email": "Grace@company.example", "name": "Grace", "surname": "Hopper"}


def test_creation_returns_the_sub_user_and_their_location(account: Account, portal: ApiClient) -> None:
    """The response has exactly the sub-user's fields, their Location, entity tag, and position in the history."""
    response = portal.post(f"{account.path}/sub-users", json=GRACE)

    body: Any = response.json
    assert response.status_code == 201
    assert response.content_type == "application/json"
    assert response.headers["Location"] == f"{account.path}/sub-users/{body['sub_user_id']}"
    assert response.headers["ETag"] == '"1"'
    assert int(response.headers["Event-Position"]) > int(account.response.headers["Event-Position"])
    assert set(body) == FIELDS
    assert datetime.now(UTC) - datetime.fromisoformat(body["created_at"]) < timedelta(minutes=1)
    assert body == GRACE | {
        "sub_user_id": body["sub_user_id"],
        "account_id": account.account_id,
        "status": "inactive",
        "visible": True,
        "created_at": body["created_at"],
        "last_login_at": None,
        "access_expires_at": None,
        "must_change_password": True,
        "temporary_password_expires_at": None,
        "credentials": "password",
        "credentials_mail": "none",
        "locked": False,
        "has_second_factor": False,
    }


def test_read_equals_the_response_of_the_command(account: Account, portal: ApiClient) -> None:
    """Body and entity tag are the same."""
    sub_user = account.create_sub_user(visible=False, access_expires_at="2099-05-01T02:00:00+02:00")
    read = portal.get(sub_user.path)
    assert read.json == sub_user.response.json
    assert read.json["access_expires_at"] == "2099-05-01T00:00:00Z"  # type: ignore[index]
    assert read.json["visible"] is False  # type: ignore[index]
    assert (read.status_code, read.content_type) == (200, "application/json")
    assert read.headers["ETag"] == sub_user.response.headers["ETag"]
    assert "Event-Position" not in read.headers


def test_null_expiry_equals_no_expiry(account: Account) -> None:
    assert account.create_sub_user(access_expires_at=None).response.json["access_expires_at"] is None  # type: ignore[index]


def test_email_is_unique_in_an_account(account: Account, portal: ApiClient) -> None:
    """Case and the spelling of an internationalized domain do not matter."""
    account.create_sub_user(email="Jurgen@bücher.example")
    for email in ("JURGEN@BÜCHER.example", "jurgen@xn--bcher-kva.example", "Jurgen@bu\u0308cher.example"):
        body = {**GRACE, "email": email}
        require_problem(portal.post(f"{account.path}/sub-users", json=body), 409, "sub-user-email-taken")


def test_email_can_be_used_in_several_accounts(account: Account, portal: ApiClient) -> None:
    """An owner's e-mail can also be that of a sub-user."""
    sub_user = account.create_sub_user()
    body = {"email": sub_user.email, "company_name": "Their own"}
    own_account = portal.post("/v1/accounts", json=body)
    assert own_account.status_code == 201
    path = f"/v1/accounts/{own_account.json['account_id']}/sub-users"  # type: ignore[index]
    assert portal.post(path, json={**GRACE, "email": sub_user.email}).status_code == 201


@pytest.mark.parametrize(
    "password",
    ["fourteen chars", "x" * 129, "passwordpassword1", "my name is Hopper, Grace", "grace@company.example is me"],
)
def test_weak_temporary_password_is_refused(account: Account, portal: ApiClient, password: str) -> None:
    """A password is refused if it is short, long, common, or contains data of its owner."""
    response = portal.post(f"{account.path}/sub-users", json={**GRACE, "password": password})
    require_problem(response, 422, "invalid-input", "password")
    sub_user = account.create_sub_user(**GRACE)
    require_problem(portal.patch(sub_user.path, json={"password": password}), 422, "invalid-input", "password")


def test_password_may_have_any_characters(account: Account) -> None:
    """The password has spaces, accents, emoji and line breaks."""
    sub_user = account.create_active(password=" ñandú \r\n🦤 \t ¡olé! ")
    assert sub_user.log_in().status_code == 201


def test_all_fields_can_be_changed_in_one_patch(account: Account, portal: ApiClient) -> None:
    """The response equals a later read, and has a new entity tag."""
    sub_user = account.create_sub_user()
    changes = {"name": "Ada", "surname": "Lovelace", "visible": False, "access_expires_at": "2099-01-01T00:00:00Z"}

    changed = portal.patch(sub_user.path, json={**changes, "status": "active", "password": "another phrase for now"})

    assert changed.status_code == 200
    assert int(changed.headers["Event-Position"]) > int(sub_user.response.headers["Event-Position"])
    assert changed.headers["ETag"] != sub_user.response.headers["ETag"]
    expected: Any = sub_user.response.json
    expected |= {**changes, "status": "active", "credentials_mail": "pending"}
    expected["temporary_password_expires_at"] = expiry = changed.json["temporary_password_expires_at"]  # type: ignore[index]
    # The service's estimate of the database's time can differ from this host's on a busy machine.
    assert abs(datetime.now(UTC) + timedelta(days=7) - datetime.fromisoformat(expiry)) < timedelta(minutes=1)
    assert changed.json == expected
    read = portal.get(sub_user.path)
    assert read.json == expected
    assert read.headers["ETag"] == changed.headers["ETag"]
    assert sub_user.log_in(password=TEMPORARY_PASSWORD).status_code == 401
    assert sub_user.log_in(password="another phrase for now").status_code == 201


@pytest.mark.parametrize(
    "invalid_field",
    [{"password": "short"}, {"name": ""}, {"visible": "yes"}, {"access_expires_at": "soon"}, {"status": "locked"}],
)
def test_one_invalid_field_refuses_the_whole_change(
    account: Account, portal: ApiClient, invalid_field: dict[str, Any]
) -> None:
    sub_user = account.create_sub_user()
    response = portal.patch(sub_user.path, json={"surname": "Lovelace", "status": "active", **invalid_field})
    require_problem(response, 422, "invalid-input", *invalid_field)
    assert sub_user.fetch() == sub_user.response.json


def test_patch_without_a_difference_records_no_event(account: Account, portal: ApiClient) -> None:
    """The entity tag stays the same, and the response has no Event-Position."""
    sub_user = account.create_sub_user()
    for changes in ({}, {"name": "Grace", "status": "inactive", "visible": True, "access_expires_at": None}):
        response = portal.patch(sub_user.path, json=changes)
        assert response.status_code == 200
        assert response.json == sub_user.response.json
        assert response.headers["ETag"] == sub_user.response.headers["ETag"]
        assert "Event-Position" not in response.headers


@pytest.mark.parametrize("activated", [False, True])
def test_expired_access_cannot_be_granted(account: Account, portal: ApiClient, *, activated: bool) -> None:
    """Nothing changes and no mail is sent, until the change includes a later expiry."""
    sub_user = account.create_active() if activated else account.create_sub_user()
    sub_user.change(access_expires_at="2020-01-01T00:00:00Z")
    before, history = sub_user.fetch(), account.audit_log_rows()

    for changes in ({"status": "active"}, {"status": "active", "password": "another phrase for now", "name": "Ada"}):
        require_problem(portal.patch(sub_user.path, json=changes), 409, "access-expired")
    if activated:
        require_problem(portal.post(f"{sub_user.path}/credentials-mail"), 409, "access-expired")
        require_problem(portal.patch(sub_user.path, json={"password": "another phrase for now"}), 409, "access-expired")

    assert sub_user.fetch() == before
    assert account.audit_log_rows() == history
    later = {"status": "active", "password": "another phrase for now", "access_expires_at": "2090-01-01T00:00:00Z"}
    assert sub_user.change(**later).json["status"] == "active"  # type: ignore[index]
    assert sub_user.log_in(password="another phrase for now").status_code == 201


def test_expiry_can_be_removed(account: Account) -> None:
    sub_user = account.create_active()
    sub_user.change(access_expires_at="2020-01-01T00:00:00Z")
    assert sub_user.log_in().status_code == 401
    assert sub_user.change(access_expires_at=None).json["access_expires_at"] is None  # type: ignore[index]
    assert sub_user.log_in().status_code == 201


@pytest.mark.parametrize(
    "change",
    [{"status": "inactive"}, {"password": "another phrase for now"}, {"access_expires_at": "2020-01-01T00:00:00Z"}],
)
def test_sessions_have_ended_when_the_response_arrives(
    account: Account, portal: ApiClient, change: dict[str, Any]
) -> None:
    sub_user = account.create_with_own_password()
    tokens = [sub_user.new_token(), sub_user.new_token()]
    sub_user.change(**change)
    assert [is_session_active(portal, token) for token in tokens] == [False, False]


def test_deletion_removes_the_sub_user(account: Account, portal: ApiClient) -> None:
    """Reads, lists and logins no longer find them, sessions end, and the e-mail can be used again."""
    sub_user = account.create_with_own_password()
    token = sub_user.new_token()

    deleted = portal.delete(sub_user.path)

    assert (deleted.status_code, deleted.data) == (204, b"")
    assert "Content-Type" not in deleted.headers
    assert "Event-Position" in deleted.headers
    assert not is_session_active(portal, token)
    require_problem(sub_user.log_in(), 401, "login-refused")
    for response in (
        portal.get(sub_user.path),
        portal.patch(sub_user.path, json={"name": "X"}),
        portal.delete(sub_user.path),
    ):
        require_problem(response, 404, "sub-user-not-found")
    assert portal.get(f"{account.path}/sub-users").json == {"items": [], "next_cursor": None}
    assert account.create_sub_user(email=sub_user.email).sub_user_id != sub_user.sub_user_id


def test_credentials_can_be_mailed_again(account: Account, portal: ApiClient) -> None:
    """The password is replaced, and sessions end."""
    sub_user = account.create_with_own_password()
    token = sub_user.new_token()
    before = sub_user.fetch()

    response = portal.post(f"{sub_user.path}/credentials-mail")

    assert response.status_code == 202
    assert before["temporary_password_expires_at"] is None
    body: Any = response.json
    expiry = body["temporary_password_expires_at"]
    assert expiry > before["created_at"]
    changed = {"must_change_password": True, "temporary_password_expires_at": expiry, "credentials_mail": "pending"}
    assert body == sub_user.fetch() == {**before, **changed}
    assert "Event-Position" in response.headers
    assert response.headers["ETag"] == sub_user.fetch_etag()
    assert not is_session_active(portal, token)
    assert sub_user.log_in(password=OWN_PASSWORD).status_code == 401


def test_credentials_are_not_mailed_to_inactive_sub_users(account: Account, portal: ApiClient) -> None:
    sub_user = account.create_sub_user()
    require_problem(portal.post(f"{sub_user.path}/credentials-mail"), 409, "sub-user-inactive")


def test_unknown_sub_user_is_not_found(account: Account, portal: ApiClient) -> None:
    """An unused id, the account's own id, and a malformed one return 404."""
    for unknown_id in (str(uuid4()), account.account_id):
        require_problem(portal.get(f"{account.path}/sub-users/{unknown_id}"), 404, "sub-user-not-found")
    require_problem(portal.get(f"{account.path}/sub-users/42"), 404, "not-found")
