"""Sub-users: let in, shown, changed, mailed again, deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.callers import OWN, TEMPORARY, is_active, require_problem

if TYPE_CHECKING:
    from tests.api.callers import Account, Caller

FIELDS = {
    *("sub_user_id", "account_id", "email", "name", "surname", "status", "visible", "created_at", "last_login_at"),
    *("access_expires_at", "must_change_password", "credentials_mail", "locked"),
}
GRACE = {"email": "Grace@company.example", "name": "Grace", "surname": "Hopper"}


def test_letting_somebody_in_answers_the_sub_user_and_where_they_are(account: Account, portal: Caller) -> None:
    """201 with a sub-user's fields and no others, its Location, its entity tag, its position in the history."""
    made = portal.post(f"{account.path}/sub-users", json=GRACE)

    body: Any = made.json
    assert made.status_code == 201
    assert made.content_type == "application/json"
    assert made.headers["Location"] == f"{account.path}/sub-users/{body['sub_user_id']}"
    assert made.headers["ETag"] == '"1"'
    assert int(made.headers["Event-Position"]) > int(account.answer.headers["Event-Position"])
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
        "credentials_mail": "none",
        "locked": False,
    }


def test_what_is_shown_is_what_was_answered(account: Account, portal: Caller) -> None:
    """A read gives the same body and the same entity tag as the command before it."""
    one = account.let_in(visible=False, access_expires_at="2099-05-01T02:00:00+02:00")
    shown = portal.get(one.path)
    assert shown.json == one.answer.json
    assert shown.json["access_expires_at"] == "2099-05-01T00:00:00Z"  # type: ignore[index]
    assert shown.json["visible"] is False  # type: ignore[index]
    assert (shown.status_code, shown.content_type) == (200, "application/json")
    assert shown.headers["ETag"] == one.answer.headers["ETag"]
    assert "Event-Position" not in shown.headers


def test_a_null_expiry_is_no_expiry(account: Account) -> None:
    """`"access_expires_at": null` is the same as leaving it out."""
    assert account.let_in(access_expires_at=None).answer.json["access_expires_at"] is None  # type: ignore[index]


def test_an_e_mail_is_one_sub_user_of_an_account(account: Account, portal: Caller) -> None:
    """A second sub-user with it is a conflict, whatever its case or the spelling of its domain."""
    account.let_in(email="Jurgen@bücher.example")
    for email in ("JURGEN@BÜCHER.example", "jurgen@xn--bcher-kva.example", "Jurgen@bu\u0308cher.example"):
        body = {**GRACE, "email": email}
        require_problem(portal.post(f"{account.path}/sub-users", json=body), 409, "sub-user-email-taken")


def test_the_same_person_may_be_a_sub_user_of_several_accounts(account: Account, portal: Caller) -> None:
    """Uniqueness is the account's own, and the owner's e-mail may be a sub-user's too."""
    one = account.let_in()
    body = {"email": one.email, "company_name": "Their own"}
    own = portal.post("/v1/accounts", json=body)
    assert own.status_code == 201
    path = f"/v1/accounts/{own.json['account_id']}/sub-users"  # type: ignore[index]
    assert portal.post(path, json={**GRACE, "email": one.email}).status_code == 201


@pytest.mark.parametrize(
    "password",
    ["fourteen chars", "x" * 129, "passwordpassword1", "my name is Hopper, Grace", "grace@company.example is me"],
)
def test_a_temporary_password_must_be_a_good_one(account: Account, portal: Caller, password: str) -> None:
    """One that is short, long, common, or tells of its owner is refused and named, when creating and when changing."""
    answer = portal.post(f"{account.path}/sub-users", json={**GRACE, "password": password})
    require_problem(answer, 422, "invalid-input", "password")
    one = account.let_in(**GRACE)
    require_problem(portal.patch(one.path, json={"password": password}), 422, "invalid-input", "password")


def test_any_characters_make_a_password(account: Account) -> None:
    """Spaces, accents, emoji, line breaks: 15 characters and up, and the sub-user logs in with them."""
    one = account.let_in_active(password=" ñandú \r\n🦤 \t ¡olé! ")
    assert one.log_in().status_code == 201


def test_everything_about_somebody_can_be_changed_at_once(account: Account, portal: Caller) -> None:
    """One PATCH changes it all, its answer is what a read shows, and the entity tag is a new one."""
    one = account.let_in()
    changes = {"name": "Ada", "surname": "Lovelace", "visible": False, "access_expires_at": "2099-01-01T00:00:00Z"}

    changed = portal.patch(one.path, json={**changes, "active": True, "password": "another phrase for now"})

    assert changed.status_code == 200
    assert int(changed.headers["Event-Position"]) > int(one.answer.headers["Event-Position"])
    assert changed.headers["ETag"] != one.answer.headers["ETag"]
    expected: Any = one.answer.json
    expected |= {**changes, "status": "active", "credentials_mail": "pending"}
    assert changed.json == expected
    shown = portal.get(one.path)
    assert shown.json == expected
    assert shown.headers["ETag"] == changed.headers["ETag"]
    assert one.log_in(password=TEMPORARY).status_code == 401
    assert one.log_in(password="another phrase for now").status_code == 201


@pytest.mark.parametrize(
    "refused",
    [{"password": "short"}, {"name": ""}, {"visible": "yes"}, {"access_expires_at": "soon"}, {"status": "active"}],
)
def test_a_change_is_made_whole_or_not_at_all(account: Account, portal: Caller, refused: dict[str, Any]) -> None:
    """With one value refused nothing changes, and the refusal names it."""
    one = account.let_in()
    answer = portal.patch(one.path, json={"surname": "Lovelace", "active": True, **refused})
    require_problem(answer, 422, "invalid-input", *refused)
    assert one.shown() == one.answer.json


def test_a_change_that_changes_nothing_is_not_recorded(account: Account, portal: Caller) -> None:
    """The same values again, or none, give the same entity tag, and no position."""
    one = account.let_in()
    for changes in ({}, {"name": "Grace", "active": False, "visible": True, "access_expires_at": None}):
        answer = portal.patch(one.path, json=changes)
        assert answer.status_code == 200
        assert answer.json == one.answer.json
        assert answer.headers["ETag"] == one.answer.headers["ETag"]
        assert "Event-Position" not in answer.headers


def test_an_expiry_can_be_taken_back(account: Account) -> None:
    """`"access_expires_at": null` in a change means that access has no end any more."""
    one = account.let_in_active(access_expires_at="2020-01-01T00:00:00Z")
    assert one.log_in().status_code == 401
    assert one.change(access_expires_at=None).json["access_expires_at"] is None  # type: ignore[index]
    assert one.log_in().status_code == 201


@pytest.mark.parametrize(
    "change", [{"active": False}, {"password": "another phrase for now"}, {"access_expires_at": "2020-01-01T00:00:00Z"}]
)
def test_sessions_end_with_the_answer_that_says_so(account: Account, portal: Caller, change: dict[str, Any]) -> None:
    """Deactivated, given a new password or past their expiry: no old token is good once that has been answered."""
    one = account.let_in_settled()
    tokens = [one.token(), one.token()]
    one.change(**change)
    assert [is_active(portal, token) for token in tokens] == [False, False]


def test_deleting_somebody_is_for_good(account: Account, portal: Caller) -> None:
    """204 without a body; gone from reads and lists, login refused, sessions ended, the e-mail free again."""
    one = account.let_in_settled()
    token = one.token()

    deleted = portal.delete(one.path)

    assert (deleted.status_code, deleted.data) == (204, b"")
    assert "Content-Type" not in deleted.headers
    assert "Event-Position" in deleted.headers
    assert not is_active(portal, token)
    require_problem(one.log_in(), 401, "login-refused")
    for again in (portal.get(one.path), portal.patch(one.path, json={"name": "X"}), portal.delete(one.path)):
        require_problem(again, 404, "sub-user-not-found")
    assert portal.get(f"{account.path}/sub-users").json == {"items": [], "next_cursor": None}
    assert account.let_in(email=one.email).sub_user_id != one.sub_user_id


def test_access_data_can_be_mailed_again(account: Account, portal: Caller) -> None:
    """202 with the sub-user, whose mail is pending, whose password is replaced, and whose sessions end."""
    one = account.let_in_settled()
    token = one.token()
    before = one.shown()

    mailed = portal.post(f"{one.path}/credentials-mail")

    assert mailed.status_code == 202
    assert mailed.json == {**before, "must_change_password": True, "credentials_mail": "pending"}
    assert "Event-Position" in mailed.headers
    assert mailed.headers["ETag"] == one.etag()
    assert not is_active(portal, token)
    assert one.log_in(password=OWN).status_code == 401


def test_access_data_is_not_mailed_to_the_inactive(account: Account, portal: Caller) -> None:
    """That is a conflict."""
    one = account.let_in()
    require_problem(portal.post(f"{one.path}/credentials-mail"), 409, "sub-user-inactive")


def test_a_sub_user_whom_nobody_let_in_is_not_found(account: Account, portal: Caller) -> None:
    """404 for an id that is free, for one that is no id, and for the account's own."""
    for unknown in (str(uuid4()), account.account_id):
        require_problem(portal.get(f"{account.path}/sub-users/{unknown}"), 404, "sub-user-not-found")
    require_problem(portal.get(f"{account.path}/sub-users/42"), 404, "not-found")
