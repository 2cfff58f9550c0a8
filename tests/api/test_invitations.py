"""Invitations through HTTP: the kind of the credentials, and the choice of a password with a mailed link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from tests.api.clients import require_problem
from tests.api.test_api_key_limits import client_with_limits
from tests.builders import deliver_mails, plain_text

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from tests.api.clients import Account, ApiClients

COMPLETE = "/v1/invitations/complete"
OWN_PASSWORD = "a phrase that nobody knew"


def newest_secret(service: Service) -> str:
    return plain_text(deliver_mails(service)[-1]).split("/invitation/")[1].split()[0]


def test_portal_invites_a_sub_user(clients: ApiClients, account: Account) -> None:
    """Their response says what was mailed, and until when it is valid."""
    sub_user = account.create_sub_user()
    assert sub_user.fetch()["credentials"] == "password"
    response = clients.portal.patch(sub_user.path, json={"status": "active", "credentials": "link"})
    invited: Any = response.json
    assert response.status_code == 200
    assert (invited["credentials"], invited["must_change_password"]) == ("link", True)
    assert invited["temporary_password_expires_at"] is not None
    assert sub_user.fetch() == {**invited, "credentials_mail": "pending"}
    secret = newest_secret(clients.service)
    assert sub_user.fetch()["credentials_mail"] == "sent"

    refused = clients.portal.post(COMPLETE, json={"token": secret, "new_password": "short"})
    require_problem(refused, 422, "invalid-input", "new_password")
    body = {"token": secret, "new_password": OWN_PASSWORD}
    response = clients.portal.post(COMPLETE, json=body)
    assert response.status_code == 204
    assert int(response.headers["Event-Position"]) > 0
    login = clients.portal.post("/v1/sessions", json={**sub_user.credentials, "password": OWN_PASSWORD})
    assert (login.status_code, login.json["must_change_password"]) == (201, False)  # type: ignore[index]
    require_problem(clients.portal.post(COMPLETE, json=body), 410, "link-invalid")


def test_portal_sends_credentials_of_the_same_kind_again(clients: ApiClients, account: Account) -> None:
    """Without a body or with an empty one, unless it requests another kind."""
    sub_user = account.create_sub_user()
    clients.portal.patch(sub_user.path, json={"status": "active", "credentials": "link"})
    path = f"{sub_user.path}/credentials-mail"
    kinds: list[str] = []
    requests: list[dict[str, Any]] = [{}, {"json": {}}, {"json": {"credentials": "password"}}, {}]
    for arguments in requests:
        response = clients.portal.post(path, **arguments)
        assert response.status_code == 202
        kinds.append(response.json["credentials"])  # type: ignore[index]
    assert kinds == ["link", "link", "password", "password"]


def test_repeated_request_gets_the_same_response(clients: ApiClients, account: Account) -> None:
    """A retry with another kind is another request."""
    sub_user = account.create_active()
    path = f"{sub_user.path}/credentials-mail"
    headers = {"Idempotency-Key": str(uuid4())}
    first, second = (clients.portal.post(path, json={"credentials": "link"}, headers=headers) for _ in range(2))
    assert first.status_code == 202
    assert first.data == second.data
    other = clients.portal.post(path, json={"credentials": "password"}, headers=headers)
    require_problem(other, 422, "invalid-input", "Idempotency-Key")
    deliver_mails(clients.service)
    clients.portal.post(COMPLETE, json={"token": newest_secret(clients.service), "new_password": OWN_PASSWORD})


@pytest.mark.parametrize(
    "body",
    [
        {"status": "active", "credentials": "sms"},
        {"status": "active", "credentials": None},
        {"status": "active", "credentials": "link", "password": "a temporary phrase"},
        {"credentials": "link"},
        {"credentials": "password", "name": "Ada"},
    ],
)
def test_impossible_kind_is_refused(clients: ApiClients, account: Account, body: dict[str, Any]) -> None:
    sub_user = account.create_sub_user()
    require_problem(clients.portal.patch(sub_user.path, json=body), 422, "invalid-input", "credentials")
    assert sub_user.fetch()["status"] == "inactive"


@pytest.mark.parametrize(
    ("body", "field"), [({"credentials": "sms"}, "credentials"), ({"credentials": "link", "more": 1}, "more")]
)
def test_invalid_body_sends_nothing(clients: ApiClients, account: Account, body: dict[str, Any], field: str) -> None:
    sub_user = account.create_active()
    before = len(deliver_mails(clients.service))
    response = clients.portal.post(f"{sub_user.path}/credentials-mail", json=body)
    require_problem(response, 422, "invalid-input", field)
    assert len(deliver_mails(clients.service)) == before


def test_unknown_token_is_gone(clients: ApiClients) -> None:
    for token in ("x", "x" * 1000, "never \N{SNOWMAN}"):
        require_problem(
            clients.portal.post(COMPLETE, json={"token": token, "new_password": OWN_PASSWORD}), 410, "link-invalid"
        )


def test_invitation_of_another_account_is_forbidden_to_a_limited_key(clients: ApiClients, account: Account) -> None:
    """Whether it exists or not."""
    sub_user = account.create_sub_user()
    clients.portal.patch(sub_user.path, json={"status": "active", "credentials": "link"})
    secret = newest_secret(clients.service)
    other, own = (
        client_with_limits(clients, accounts=frozenset({account_id}))
        for account_id in (uuid4(), UUID(account.account_id))
    )
    for token in (secret, "unknown"):
        body = {"token": token, "new_password": OWN_PASSWORD}
        require_problem(other.post(COMPLETE, json=body), 403, "account-not-allowed")
    assert own.post(COMPLETE, json={"token": secret, "new_password": OWN_PASSWORD}).status_code == 204
