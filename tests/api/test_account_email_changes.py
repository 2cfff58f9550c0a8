"""Changes of an account's e-mail over HTTP: PATCH, and the links for portals with pages of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from application.commands.api_keys import Limits, Scope
from tests.api.clients import ApiClient, require_problem
from tests.api_keys import BY_OPERATOR
from tests.builders import deliver_mails, mailed_token, plain_text

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from tests.api.clients import Account, ApiClients

CONFIRM, UNDO = "/v1/email-changes/confirm", "/v1/email-changes/undo"


def new_email() -> str:
    return f"new-{uuid4().hex[:8]}@company.example"


def token_mailed_to(service: Service, email: str) -> str:
    return mailed_token([mail for mail in deliver_mails(service) if mail["To"].addresses[0].addr_spec == email][-1])


def test_email_changes_in_two_steps(account: Account, clients: ApiClients, portal: ApiClient) -> None:
    """The account has `pending_email` until the link is used. The former e-mail can undo the change."""
    sub_user, email = account.create_with_own_password(), new_email()
    changed: Any = portal.patch(account.path, json={"email": email}).json
    assert (changed["email"], changed["pending_email"]) == (account.email, email)
    assert portal.get(account.path).json == changed
    token = token_mailed_to(clients.service, email)

    response = portal.post(CONFIRM, json={"token": token})

    assert (response.status_code, response.data) == (204, b"")
    assert int(response.headers["Event-Position"]) > 0
    confirmed: Any = portal.get(account.path).json
    assert confirmed == {**changed, "email": email, "pending_email": None, "pending_email_expires_at": None}
    for account_email in (email, account.email):
        assert sub_user.log_in(account_email=account_email).status_code == 201
    require_problem(portal.post(CONFIRM, json={"token": token}), 410, "link-invalid")
    body = {"email": account.email, "company_name": "Another"}
    require_problem(portal.post("/v1/accounts", json=body), 409, "account-email-taken")

    undo = token_mailed_to(clients.service, account.email)
    assert portal.post(UNDO, json={"token": undo}).status_code == 204
    restored: Any = portal.get(account.path).json
    assert (restored["email"], restored["pending_email"]) == (account.email, None)
    assert sub_user.log_in(account_email=email).status_code == 401
    require_problem(portal.post(UNDO, json={"token": undo}), 410, "link-invalid")
    actions = {row["action"] for row in account.audit_log_rows()}
    assert actions >= {
        "main_account.email_change_requested",
        "main_account.former_email_kept",
        "main_account.email_change_undone",
        "sub_user.sign_in_email_announced",
        "person.link_used",
    }


def test_verified_email_changes_at_once(account: Account, portal: ApiClient) -> None:
    """`email_verified` without `email` changes nothing."""
    email = new_email()
    assert "Event-Position" not in portal.patch(account.path, json={"email_verified": True}).headers
    changed: Any = portal.patch(account.path, json={"email": email, "email_verified": True}).json
    assert (changed["email"], changed["pending_email"]) == (email, None)


@pytest.mark.parametrize("value", ["true", 1, None, []])
def test_invalid_values_are_refused(account: Account, portal: ApiClient, value: Any) -> None:
    body = {"email": new_email(), "email_verified": value}
    require_problem(portal.patch(account.path, json=body), 422, "invalid-input", "email_verified")


@pytest.mark.parametrize("path", [CONFIRM, UNDO])
def test_invalid_tokens_are_refused(portal: ApiClient, path: str) -> None:
    for token in ("x", "a" * 1000, "\u00e9", "\ud800", "\0"):
        require_problem(portal.post(path, json={"token": token}), 410, "link-invalid")
    for body in ({}, {"token": ""}, {"token": None}, {"token": 7}, {"token": "a" * 1001}):
        require_problem(portal.post(path, json=body), 422, "invalid-input", "token")


def test_requests_are_limited(account: Account, portal: ApiClient) -> None:
    """Each mails a link to an address that the portal chooses."""
    responses = [portal.patch(account.path, json={"email": new_email()}) for _ in range(6)]
    assert [response.status_code for response in responses[:5]] == [200] * 5
    require_problem(responses[5], 429, "too-many-mails")
    assert int(responses[5].headers["Retry-After"]) > 3000


def test_changes_are_limited(account: Account, portal: ApiClient) -> None:
    body = {"email_verified": True}
    for _ in range(5):
        assert portal.patch(account.path, json={**body, "email": new_email()}).status_code == 200
    require_problem(portal.patch(account.path, json={**body, "email": new_email()}), 409, "too-many-email-changes")


def test_key_of_other_accounts_cannot_use_a_link(account: Account, clients: ApiClients) -> None:
    """Nor learn whether it is valid."""
    other = clients.register_account()
    limits = Limits(accounts=frozenset({UUID(other.account_id)}))
    key = clients.service.commands.api_keys.create(Scope.PORTAL, "a limited key", BY_OPERATOR, limits)
    limited = ApiClient.with_key(clients.app, key)
    email = new_email()
    account.portal.patch(account.path, json={"email": email})
    token = token_mailed_to(clients.service, email)
    for candidate in (token, "x"):
        require_problem(limited.post(CONFIRM, json={"token": candidate}), 403, "account-not-allowed")
        require_problem(limited.post(UNDO, json={"token": candidate}), 403, "account-not-allowed")
    assert account.portal.post(CONFIRM, json={"token": token}).status_code == 204


def test_mail_to_a_sub_user_names_the_new_email(account: Account, clients: ApiClients, portal: ApiClient) -> None:
    sub_user, email = account.create_with_own_password(), new_email()
    portal.patch(account.path, json={"email": email, "email_verified": True})
    mails = [mail for mail in deliver_mails(clients.service) if mail["To"].addresses[0].addr_spec == sub_user.email]
    assert email in plain_text(mails[-1])
