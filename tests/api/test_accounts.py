"""Main accounts: registered, shown, changed, closed, allowed more sub-users."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.callers import OWN, is_active, require_problem

if TYPE_CHECKING:
    from tests.api.callers import Account, Caller, Doors

FIELDS = {
    *("account_id", "email", "company_name", "language", "sub_user_limit", "sub_user_count"),
    *("created_at", "closed_at"),
}


def test_registering_answers_the_account_and_where_it_is(doors: Doors, portal: Caller) -> None:
    """201 with the account's fields and no others, its Location, and its position in the history."""
    account = doors.account(company_name="  Société Générale de l'Été ", language="it")

    body: Any = account.answer.json
    assert account.answer.status_code == 201
    assert account.answer.content_type == "application/json"
    assert account.answer.headers["Location"] == account.path
    assert int(account.answer.headers["Event-Position"]) > 0
    assert set(body) == FIELDS
    assert body["account_id"] == account.account_id
    assert body["email"] == account.email
    assert body["company_name"] == "Société Générale de l'Été"
    assert body["language"] == "it"
    assert (body["sub_user_limit"], body["sub_user_count"], body["closed_at"]) == (10, 0, None)
    assert body["created_at"].endswith("Z")
    assert datetime.now(UTC) - datetime.fromisoformat(body["created_at"]) < timedelta(minutes=1)
    assert portal.get(account.path).json == body


def test_an_e_mail_registers_one_account_only(account: Account, portal: Caller) -> None:
    """A second registration is a conflict, whatever the case of its e-mail."""
    body = {"email": account.email.upper(), "company_name": "Another"}
    require_problem(portal.post("/v1/accounts", json=body), 409, "account-email-taken")


@pytest.mark.parametrize("password", ["short", "passwordpassword", "we are the company of winds", "x" * 129])
def test_the_owner_s_password_must_be_a_good_one(portal: Caller, password: str) -> None:
    """One that is short, long, common, or tells of its owner is refused, and named."""
    body = {"email": f"{uuid4().hex}@company.example", "company_name": "Company", "password": password}
    require_problem(portal.post("/v1/accounts", json=body), 422, "invalid-input", "password")


def test_an_account_that_nobody_registered_is_not_found(portal: Caller) -> None:
    """404 for an id that is free, and for one that is no id."""
    require_problem(portal.get(f"/v1/accounts/{uuid4()}"), 404, "account-not-found")
    require_problem(portal.get("/v1/accounts/42"), 404, "not-found")


def test_an_account_s_data_can_be_changed(account: Account, portal: Caller) -> None:
    """What is named changes, the rest stays, and the answer is what a read shows."""
    before: Any = account.answer.json
    for changes in ({"email": f"new-{account.email}", "company_name": "Rivers"}, {"language": "it"}):
        changed = portal.patch(account.path, json=changes)
        before |= changes
        assert changed.status_code == 200
        assert int(changed.headers["Event-Position"]) > int(account.answer.headers["Event-Position"])
        assert changed.json == before
        assert portal.get(account.path).json == before


def test_an_owner_s_password_is_changed_and_never_shown(account: Account, portal: Caller) -> None:
    """A new password is recorded as a change, and no answer holds it."""
    changed = portal.patch(account.path, json={"password": OWN})

    assert changed.status_code == 200
    assert "Event-Position" in changed.headers
    assert changed.json == account.answer.json
    assert account.rows()[0]["details"] == {"password_changed": True}


def test_a_change_that_changes_nothing_is_not_recorded(account: Account, portal: Caller) -> None:
    """The same values again, or none, are answered with the account, and with no position."""
    for changes in ({}, {"email": account.email, "company_name": "Winds & Waves", "language": "en"}):
        answer = portal.patch(account.path, json=changes)
        assert answer.status_code == 200
        assert answer.json == account.answer.json
        assert "Event-Position" not in answer.headers


def test_an_e_mail_cannot_be_changed_to_another_account_s(doors: Doors, account: Account, portal: Caller) -> None:
    """That is a conflict, and nothing of the change is made."""
    other = doors.account()
    changes = {"email": other.email.title(), "company_name": "Rivers"}
    require_problem(portal.patch(account.path, json=changes), 409, "account-email-taken")
    assert portal.get(account.path).json == account.answer.json


def test_closing_an_account_ends_all_access(account: Account, portal: Caller) -> None:
    """204 without a body; sessions have ended, logins are refused, commands are conflicts, and it can still be read."""
    one = account.let_in_settled()
    token = one.token()

    closed = portal.delete(account.path)

    assert (closed.status_code, closed.data) == (204, b"")
    assert "Content-Type" not in closed.headers
    assert "Event-Position" in closed.headers
    assert not is_active(portal, token)
    require_problem(one.log_in(), 401, "login-refused")
    require_problem(portal.patch(account.path, json={"language": "it"}), 409, "account-closed")
    require_problem(portal.patch(one.path, json={"active": False}), 409, "account-closed")
    require_problem(portal.post(f"{one.path}/credentials-mail"), 409, "account-closed")
    body = {"email": "late@company.example", "name": "Late", "surname": "Comer"}
    require_problem(portal.post(f"{account.path}/sub-users", json=body), 409, "account-closed")
    shown: Any = portal.get(account.path).json
    assert shown["closed_at"] is not None
    assert shown["sub_user_count"] == 1
    assert portal.get(one.path).status_code == 200
    assert account.rows()[0]["action"] == "main_account.closed"


def test_people_can_be_forgotten_in_a_closed_account(account: Account, portal: Caller) -> None:
    """Deleting a sub-user is what remains possible."""
    one = account.let_in()
    portal.delete(account.path)
    assert portal.delete(one.path).status_code == 204
    require_problem(portal.get(one.path), 404, "sub-user-not-found")


def test_closing_an_account_again_changes_nothing(account: Account, portal: Caller) -> None:
    """204 again, without a position, and the day it was closed stays."""
    portal.delete(account.path)
    shown = portal.get(account.path).json
    again = portal.delete(account.path)
    assert again.status_code == 204
    assert "Event-Position" not in again.headers
    assert portal.get(account.path).json == shown


def test_a_closed_account_s_e_mail_is_free(doors: Doors, account: Account, portal: Caller) -> None:
    """The company may come back with the same e-mail, as another account."""
    portal.delete(account.path)
    assert doors.account(email=account.email).account_id != account.account_id


def test_support_raises_the_limit_with_a_reason(doors: Doors, account: Account) -> None:
    """200 with the account; the same number again changes nothing."""
    body = {"limit": 12, "reason": "They opened a second office."}
    raised = doors.support.put(f"{account.path}/sub-user-limit", json=body)
    again = doors.support.put(f"{account.path}/sub-user-limit", json=body)

    assert (raised.status_code, again.status_code) == (200, 200)
    assert raised.json == again.json == {**account.answer.json, "sub_user_limit": 12}  # type: ignore[dict-item]
    assert "Event-Position" in raised.headers
    assert "Event-Position" not in again.headers
    assert doors.portal.get(account.path).json == raised.json


def test_the_limit_is_what_the_account_may_have(doors: Doors, account: Account, portal: Caller) -> None:
    """The 11th sub-user is a conflict until support has raised the limit, and a deleted one makes room."""
    first, *_ = (account.let_in(password=None) for _ in range(10))
    body = {"email": "the-eleventh@company.example", "name": "Eleventh", "surname": "Hour"}
    require_problem(portal.post(f"{account.path}/sub-users", json=body), 409, "sub-user-limit-reached")

    doors.support.put(f"{account.path}/sub-user-limit", json={"limit": 11, "reason": "asked by phone"})
    account.let_in(password=None)
    require_problem(portal.post(f"{account.path}/sub-users", json=body), 409, "sub-user-limit-reached")

    portal.delete(first.path)
    account.let_in(password=None)


def test_the_limit_cannot_be_lowered(doors: Doors, account: Account) -> None:
    """A lower limit is a conflict."""
    body = {"limit": 9, "reason": "They are few."}
    require_problem(doors.support.put(f"{account.path}/sub-user-limit", json=body), 409, "limit-not-raised")


@pytest.mark.parametrize("limit", [0, -1, 10_001, 2**63, 10**400, 12.5, "12", True, None])
def test_a_limit_is_a_number_within_bounds(doors: Doors, account: Account, limit: object) -> None:
    """Anything else is refused, and named."""
    answer = doors.support.put(f"{account.path}/sub-user-limit", json={"limit": limit, "reason": "because"})
    require_problem(answer, 422, "invalid-input", "limit")


def test_a_limit_is_not_raised_without_a_reason(doors: Doors, account: Account) -> None:
    """A missing reason is refused, and an empty one."""
    for reasons in ({}, {"reason": ""}, {"reason": "   "}, {"reason": None}):
        answer = doors.support.put(f"{account.path}/sub-user-limit", json={"limit": 12, **reasons})
        require_problem(answer, 422, "invalid-input", "reason")
