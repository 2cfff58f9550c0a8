"""Main accounts over HTTP: registration, reads, changes, closing, and the sub-user limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.clients import OWN_PASSWORD, is_session_active, require_problem

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClient, ApiClients

FIELDS = {
    *("account_id", "email", "company_name", "language", "sub_user_limit", "sub_user_count"),
    *("created_at", "closed_at", "external_id"),
    *("sub_user_password_reset", "second_factor_policy", "pending_email", "pending_email_expires_at"),
}


def test_registration_returns_the_account_and_its_location(clients: ApiClients, portal: ApiClient) -> None:
    """The response has exactly the account's fields, its Location, and its position in the history."""
    account = clients.register_account(company_name="  Société Générale de l'Été ", language="it")

    body: Any = account.response.json
    assert account.response.status_code == 201
    assert account.response.content_type == "application/json"
    assert account.response.headers["Location"] == account.path
    assert int(account.response.headers["Event-Position"]) > 0
    assert set(body) == FIELDS
    assert body["account_id"] == account.account_id
    assert body["email"] == account.email
    assert body["company_name"] == "Société Générale de l'Été"
    assert body["language"] == "it"
    assert (body["sub_user_limit"], body["sub_user_count"], body["closed_at"]) == (10, 0, None)
    assert body["created_at"].endswith("Z")
    assert datetime.now(UTC) - datetime.fromisoformat(body["created_at"]) < timedelta(minutes=1)
    assert portal.get(account.path).json == body


def test_email_of_another_account_cannot_be_registered(account: Account, portal: ApiClient) -> None:
    """E-mail addresses are compared without regard to case."""
    body = {"email": account.email.upper(), "company_name": "Another"}
    require_problem(portal.post("/v1/accounts", json=body), 409, "account-email-taken")


@pytest.mark.parametrize("password", ["short", "passwordpassword", "we are the company of winds", "x" * 129])
def test_weak_owner_password_is_refused(portal: ApiClient, password: str) -> None:
    """A password is refused if it is short, long, common, or contains data of its owner."""
    body = {"email": f"{uuid4().hex}@company.example", "company_name": "Company", "password": password}
    require_problem(portal.post("/v1/accounts", json=body), 422, "invalid-input", "password")


def test_unknown_account_is_not_found(portal: ApiClient) -> None:
    """Both an unused id and a malformed one return 404."""
    require_problem(portal.get(f"/v1/accounts/{uuid4()}"), 404, "account-not-found")
    require_problem(portal.get("/v1/accounts/42"), 404, "not-found")


def test_patch_changes_only_the_named_fields(account: Account, portal: ApiClient) -> None:
    """The response equals what a later read returns."""
    before: Any = account.response.json
    for changes in ({"email": f"new-{account.email}", "company_name": "Rivers"}, {"language": "it"}):
        changed = portal.patch(account.path, json={**changes, "email_verified": True})
        before |= changes
        assert changed.status_code == 200
        assert int(changed.headers["Event-Position"]) > int(account.response.headers["Event-Position"])
        assert changed.json == before
        assert portal.get(account.path).json == before


def test_owner_password_change_is_recorded_and_never_returned(account: Account, portal: ApiClient) -> None:
    changed = portal.patch(account.path, json={"password": OWN_PASSWORD})

    assert changed.status_code == 200
    assert "Event-Position" in changed.headers
    assert changed.json == account.response.json
    assert account.audit_log_rows()[0]["details"] == {"password_changed": True}


def test_patch_without_a_difference_records_no_event(account: Account, portal: ApiClient) -> None:
    """The response has the account and no Event-Position."""
    for changes in ({}, {"email": account.email, "company_name": "Winds & Waves", "language": "en"}):
        response = portal.patch(account.path, json=changes)
        assert response.status_code == 200
        assert response.json == account.response.json
        assert "Event-Position" not in response.headers


def test_email_cannot_be_changed_to_that_of_another_account(
    clients: ApiClients, account: Account, portal: ApiClient
) -> None:
    """The conflict leaves the whole account unchanged."""
    other_account = clients.register_account()
    changes = {"email": other_account.email.title(), "company_name": "Rivers"}
    require_problem(portal.patch(account.path, json=changes), 409, "account-email-taken")
    assert portal.get(account.path).json == account.response.json


def test_closing_an_account_ends_all_access(account: Account, portal: ApiClient) -> None:
    """Sessions end, logins are refused, commands conflict; the account can still be read."""
    sub_user = account.create_with_own_password()
    token = sub_user.new_token()

    closed = portal.delete(account.path)

    assert (closed.status_code, closed.data) == (204, b"")
    assert "Content-Type" not in closed.headers
    assert "Event-Position" in closed.headers
    assert not is_session_active(portal, token)
    require_problem(sub_user.log_in(), 401, "login-refused")
    require_problem(portal.patch(account.path, json={"language": "it"}), 409, "account-closed")
    require_problem(portal.patch(sub_user.path, json={"status": "inactive"}), 409, "account-closed")
    require_problem(portal.post(f"{sub_user.path}/credentials-mail"), 409, "account-closed")
    body = {"email": "late@company.example", "name": "Late", "surname": "Comer"}
    require_problem(portal.post(f"{account.path}/sub-users", json=body), 409, "account-closed")
    closed_account: Any = portal.get(account.path).json
    assert closed_account["closed_at"] is not None
    assert closed_account["sub_user_count"] == 1
    assert portal.get(sub_user.path).status_code == 200
    assert account.audit_log_rows()[0]["action"] == "main_account.closed"


def test_sub_user_of_a_closed_account_can_be_deleted(account: Account, portal: ApiClient) -> None:
    sub_user = account.create_sub_user()
    portal.delete(account.path)
    assert portal.delete(sub_user.path).status_code == 204
    require_problem(portal.get(sub_user.path), 404, "sub-user-not-found")


def test_closing_a_closed_account_changes_nothing(account: Account, portal: ApiClient) -> None:
    """The response has no Event-Position, and `closed_at` keeps its value."""
    portal.delete(account.path)
    closed_account = portal.get(account.path).json
    repeated = portal.delete(account.path)
    assert repeated.status_code == 204
    assert "Event-Position" not in repeated.headers
    assert portal.get(account.path).json == closed_account


def test_email_of_a_closed_account_can_be_registered_again(
    clients: ApiClients, account: Account, portal: ApiClient
) -> None:
    portal.delete(account.path)
    assert clients.register_account(email=account.email).account_id != account.account_id


def test_support_raises_the_sub_user_limit_with_a_reason(clients: ApiClients, account: Account) -> None:
    """Repeating the request records no event."""
    body = {"sub_user_limit": 12, "reason": "They opened a second office."}
    first = clients.support.put(f"{account.path}/sub-user-limit", json=body)
    second = clients.support.put(f"{account.path}/sub-user-limit", json=body)

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json == second.json == {**account.response.json, "sub_user_limit": 12}  # type: ignore[dict-item]
    assert "Event-Position" in first.headers
    assert "Event-Position" not in second.headers
    assert clients.portal.get(account.path).json == first.json


def test_sub_user_limit_is_enforced(clients: ApiClients, account: Account, portal: ApiClient) -> None:
    """Raising the limit or deleting a sub-user frees a seat."""
    first, *_ = (account.create_sub_user(password=None) for _ in range(10))
    body = {"email": "the-eleventh@company.example", "name": "Eleventh", "surname": "Hour"}
    require_problem(portal.post(f"{account.path}/sub-users", json=body), 409, "sub-user-limit-reached")

    clients.support.put(f"{account.path}/sub-user-limit", json={"sub_user_limit": 11, "reason": "asked by phone"})
    account.create_sub_user(password=None)
    require_problem(portal.post(f"{account.path}/sub-users", json=body), 409, "sub-user-limit-reached")

    portal.delete(first.path)
    account.create_sub_user(password=None)


def test_sub_user_limit_cannot_be_lowered(clients: ApiClients, account: Account) -> None:
    body = {"sub_user_limit": 9, "reason": "They are few."}
    require_problem(clients.support.put(f"{account.path}/sub-user-limit", json=body), 409, "limit-not-raised")


@pytest.mark.parametrize("limit", [0, -1, 10_001, 2**63, 10**400, 12.5, "12", True, None])
def test_sub_user_limit_outside_its_bounds_is_refused(clients: ApiClients, account: Account, limit: object) -> None:
    response = clients.support.put(
        f"{account.path}/sub-user-limit", json={"sub_user_limit": limit, "reason": "because"}
    )
    require_problem(response, 422, "invalid-input", "sub_user_limit")


def test_sub_user_limit_is_not_raised_without_a_reason(clients: ApiClients, account: Account) -> None:
    for reason in ({}, {"reason": ""}, {"reason": "   "}, {"reason": None}):
        response = clients.support.put(f"{account.path}/sub-user-limit", json={"sub_user_limit": 12, **reason})
        require_problem(response, 422, "invalid-input", "reason")


def new_external_id() -> str:
    return f"customer-{uuid4().hex}"


def test_account_is_found_by_its_external_id_and_by_its_email(clients: ApiClients, portal: ApiClient) -> None:
    """Comparison of e-mails ignores case, that of external ids does not."""
    external_id = new_external_id()
    account = clients.register_account(external_id=external_id)
    body: Any = account.response.json
    assert body["external_id"] == external_id
    assert listed(portal, external_id=external_id) == [body]
    assert listed(portal, email=account.email.upper()) == [body]
    assert listed(portal, email=account.email, external_id=external_id) == [body]
    assert listed(portal, external_id=external_id.upper()) == []
    assert listed(portal, email=account.email, external_id=new_external_id()) == []


def listed(portal: ApiClient, **query: str) -> list[dict[str, Any]]:
    page: Any = portal.get("/v1/accounts", query_string=query).json
    items: list[dict[str, Any]] = page["items"]
    return items


def test_external_id_can_be_changed_and_removed(clients: ApiClients, portal: ApiClient) -> None:
    """The list shows it at once; the same value again records nothing."""
    first, second = new_external_id(), new_external_id()
    account = clients.register_account(external_id=first)
    registered: Any = account.response.json
    for external_id in (second, None):
        changed = portal.patch(account.path, json={"external_id": external_id})
        assert (changed.status_code, changed.json) == (200, {**registered, "external_id": external_id})
        assert portal.get(account.path).json == changed.json
        assert "Event-Position" not in portal.patch(account.path, json={"external_id": external_id}).headers
    assert listed(portal, external_id=first) == listed(portal, external_id=second) == []
    rows = account.audit_log_rows()
    assert [(row["action"], row["details"]) for row in rows] == [
        ("main_account.external_id_set", {}),
        ("main_account.external_id_set", {"external_id": second}),
        ("main_account.registered", rows[2]["details"]),
    ]
    assert rows[2]["details"]["external_id"] == first


def test_external_id_of_another_open_account_is_refused(clients: ApiClients, portal: ApiClient) -> None:
    """Closing an account frees its external id, and so does removing it."""
    external_id = new_external_id()
    account, other_account = clients.register_account(external_id=external_id), clients.register_account()
    body = {"email": f"{uuid4().hex}@company.example", "company_name": "Company", "external_id": external_id}
    require_problem(portal.post("/v1/accounts", json=body), 409, "account-external-id-taken")
    changes = {"company_name": "Rivers", "external_id": external_id}
    require_problem(portal.patch(other_account.path, json=changes), 409, "account-external-id-taken")
    assert portal.get(other_account.path).json == other_account.response.json

    changed_email = portal.patch(account.path, json={"email": f"{uuid4().hex}@company.example", "email_verified": True})
    assert changed_email.status_code == 200
    require_problem(portal.patch(other_account.path, json=changes), 409, "account-external-id-taken")

    assert portal.delete(account.path).status_code == 204
    assert portal.patch(other_account.path, json=changes).status_code == 200
    assert portal.patch(other_account.path, json={"external_id": None}).status_code == 200
    assert portal.post("/v1/accounts", json=body).status_code == 201
    assert len(listed(portal, external_id=external_id)) == 2  # the closed one is listed, too


@pytest.mark.parametrize("external_id", ["", " ", "x" * 201, 42, True, "a\nb", "\u202e"])
def test_invalid_external_id_is_refused(account: Account, portal: ApiClient, external_id: Any) -> None:
    require_problem(portal.patch(account.path, json={"external_id": external_id}), 422, "invalid-input", "external_id")


def test_all_accounts_are_listed_once_oldest_first(clients: ApiClients, portal: ApiClient) -> None:
    """Accounts registered while a client reads the pages come last."""
    accounts = [clients.register_account() for _ in range(5)]
    items: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page: Any = portal.get("/v1/accounts", query_string=query).json
        items += page["items"]
        if len(items) == 2:
            accounts.append(clients.register_account())
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    ids = [item["account_id"] for item in items]
    assert len(set(ids)) == len(ids)
    assert [account_id for account_id in ids if account_id in {account.account_id for account in accounts}] == [
        account.account_id for account in accounts
    ]
    assert [item["created_at"] for item in items] == sorted(item["created_at"] for item in items)
    wrong_list = {"limit": 2, "cursor": query["cursor"], "email": "somebody@company.example"}
    require_problem(portal.get("/v1/accounts", query_string=wrong_list), 422, "invalid-input", "cursor")
