"""Idempotency keys: a POST with an Idempotency-Key takes effect once, however often it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application.commands.api_keys import Scope
from tests.api.clients import TEMPORARY_PASSWORD, ApiClient, require_problem
from tests.api_keys import add_api_key
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients
    from tests.conftest import TravelingClock

GRACE = {"email": "grace@company.example", "name": "Grace", "surname": "Hopper"}
COMPARED_HEADERS = ("Content-Type", "Content-Length", "Location", "ETag", "Event-Position", "Cache-Control")


def new_key_header() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def create_grace(account: Account, headers: dict[str, str], **details: Any) -> TestResponse:
    return account.portal.post(f"{account.path}/sub-users", json={**GRACE, **details}, headers=headers)


def stored_responses(clients: ApiClients, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Return the stored responses of the idempotency key in these headers."""
    with clients.service.database.get_connection() as connection:
        query = "SELECT * FROM kept_answers WHERE idempotency_key = %s"
        return list(connection.execute(query, [headers["Idempotency-Key"]]).fetchall())


def count_events(clients: ApiClients) -> int:
    """Return the number of recorded events."""
    with clients.service.database.get_connection() as connection:
        row = connection.execute("SELECT count(*) FROM stored_events").fetchone()
    return int(row["count"]) if row else 0


def require_same_response(first: TestResponse, repeated: TestResponse) -> None:
    assert repeated.data == first.data
    assert repeated.status_code == first.status_code
    assert {name: repeated.headers.get(name) for name in COMPARED_HEADERS} == {
        name: first.headers.get(name) for name in COMPARED_HEADERS
    }


def idempotent_requests(clients: ApiClients) -> list[Callable[[dict[str, str]], TestResponse]]:
    """Return a function for each route with idempotency keys, which sends the same request with the given headers."""
    account = clients.register_account()
    sub_user = account.create_active()
    registration = {"email": f"{uuid4().hex}@company.example", "company_name": "Rivers"}
    activities = {"activities": [{"sub_user_id": sub_user.sub_user_id, "action": "tool.used"}]}
    portal = clients.portal
    return [
        lambda headers: portal.post("/v1/accounts", json=registration, headers=headers),
        lambda headers: portal.post(f"{account.path}/sub-users", json=GRACE, headers=headers),
        lambda headers: portal.post(f"{sub_user.path}/credentials-mail", headers=headers),
        lambda headers: portal.post(f"{account.path}/activities", json=activities, headers=headers),
    ]


@pytest.mark.parametrize("number", range(4), ids=["account", "sub-user", "mail", "activities"])
def test_repeated_request_gets_the_stored_response(clients: ApiClients, number: int) -> None:
    """Body, status and headers are the same, and no event is recorded."""
    request, headers = idempotent_requests(clients)[number], new_key_header()
    first = request(headers)
    after = count_events(clients)

    for _ in range(2):
        require_same_response(first, request(headers))

    assert first.status_code in {201, 202}
    assert count_events(clients) == after
    assert len(stored_responses(clients, headers)) == 1


@pytest.mark.parametrize("number", range(4), ids=["account", "sub-user", "mail", "activities"])
def test_concurrent_equal_requests_take_effect_once(clients: ApiClients, number: int) -> None:
    """Each gets the one response, or a 409 while the first request is in progress."""
    request, headers = idempotent_requests(clients)[number], new_key_header()
    before = count_events(clients)

    responses = run_concurrently([lambda: request(headers)] * 4)

    first = request(headers)
    for response in responses:
        assert not isinstance(response, Exception), response
        if response.status_code == 409:
            require_problem(response, 409, "request-in-progress")
        else:
            require_same_response(first, response)
    assert len(stored_responses(clients, headers)) == 1
    assert count_events(clients) == before + 1


def test_other_body_with_the_same_key_is_refused(account: Account) -> None:
    """Even an equivalent body is refused; the stored response stays valid."""
    headers = new_key_header()
    first = create_grace(account, headers)
    for details in ({"name": "Ada"}, {"visible": True}, {"email": "ada@company.example"}):
        require_problem(create_grace(account, headers, **details), 422, "invalid-input", "Idempotency-Key")
    require_same_response(first, create_grace(account, headers))
    assert len(account.audit_log_rows()) == 2


def test_concurrent_requests_with_different_bodies_take_effect_once(account: Account) -> None:
    headers = new_key_header()
    responses: list[Any] = run_concurrently(
        [lambda: create_grace(account, headers, email=f"{uuid4().hex}@company.example") for _ in range(2)]
    )
    first, second = sorted(responses, key=lambda response: response.status_code)
    assert first.status_code == 201
    require_problem(second, 422, "invalid-input", "Idempotency-Key")
    assert len(account.audit_log_rows()) == 2


def test_key_is_bound_to_its_route(clients: ApiClients, account: Account) -> None:
    """The path is part of the route, so another account cannot use the key either."""
    sub_user, headers = account.create_active(), new_key_header()
    assert create_grace(account, headers).status_code == 201
    other_account = clients.register_account()
    activities = {"activities": [{"sub_user_id": sub_user.sub_user_id, "action": "tool.used"}]}
    for response in (
        create_grace(other_account, headers),
        account.portal.post(f"{sub_user.path}/credentials-mail", headers=headers),
        account.portal.post(f"{account.path}/activities", json=activities, headers=headers),
        account.portal.post("/v1/accounts", json={"email": "a@b.example", "company_name": "X"}, headers=headers),
    ):
        require_problem(response, 422, "invalid-input", "Idempotency-Key")
    assert len(other_account.audit_log_rows()) == 1


def test_key_is_bound_to_its_api_key(clients: ApiClients, account: Account) -> None:
    service = clients.service
    other_client = ApiClient.with_key(clients.app, add_api_key(service, Scope.PORTAL, "another backend"))
    headers = new_key_header()
    first = create_grace(account, headers)
    body = {**GRACE, "email": "ada@company.example"}
    second = other_client.post(f"{account.path}/sub-users", json=body, headers=headers)
    assert second.status_code == 201
    assert second.json["sub_user_id"] != first.json["sub_user_id"]  # type: ignore[index]
    assert len(stored_responses(clients, headers)) == 2


def test_refused_request_is_not_stored(clients: ApiClients, account: Account) -> None:
    """It can be corrected and sent again with the same key."""
    headers = new_key_header()
    require_problem(create_grace(account, headers, password="short"), 422, "invalid-input", "password")
    require_problem(create_grace(account, headers, name=""), 422, "invalid-input", "name")
    sub_user = account.create_sub_user(email=GRACE["email"])
    require_problem(create_grace(account, headers), 409, "sub-user-email-taken")
    assert stored_responses(clients, headers) == []
    account.portal.delete(sub_user.path)
    assert create_grace(account, headers).status_code == 201
    assert len(stored_responses(clients, headers)) == 1


def test_login_ignores_the_key(clients: ApiClients, account: Account) -> None:
    """Each login opens a session; responses with tokens are never stored. Introspection ignores keys too."""
    sub_user, headers = account.create_active(), new_key_header()
    logins = [clients.portal.post("/v1/sessions", json=sub_user.credentials, headers=headers) for _ in range(2)]
    tokens = [response.json["token"] for response in logins]  # type: ignore[index]
    assert len(set(tokens)) == 2
    for token in tokens:
        introspection: Any = clients.portal.post("/v1/sessions/introspect", json={"token": token}, headers=headers)
        assert introspection.json["active"] is True
    assert stored_responses(clients, headers) == []


@pytest.mark.parametrize("key", ["", " ", "two words", "x" * 256, "caf\u00e9", "tab\there", "\x7f"])
def test_key_must_be_1_to_255_visible_ascii_characters(account: Account, key: str) -> None:
    require_problem(create_grace(account, {"Idempotency-Key": key}), 422, "invalid-input", "Idempotency-Key")


def test_key_of_255_characters_is_accepted(clients: ApiClients, account: Account) -> None:
    headers = {"Idempotency-Key": f"{uuid4().hex}{'~!' * 111}~"}
    require_same_response(create_grace(account, headers), create_grace(account, headers))
    assert len(stored_responses(clients, headers)) == 1


def test_stored_response_is_encrypted(clients: ApiClients, account: Account) -> None:
    """The row has no personal data and no password, neither in plaintext nor in hexadecimal."""
    headers = new_key_header()
    assert create_grace(account, headers, password=TEMPORARY_PASSWORD).status_code == 201
    (row,) = stored_responses(clients, headers)
    text = " ".join(str(bytes(value) if isinstance(value, memoryview) else value) for value in row.values()).lower()
    for secret in ("grace", "hopper", "company.example", "first phrase", account.email):
        assert secret not in text
        assert secret.encode().hex() not in text


def test_deletion_erases_stored_responses_about_the_sub_user(clients: ApiClients, account: Account) -> None:
    """A late retry gets a conflict, and does not create the sub-user again."""
    headers = new_key_header()
    first: Any = create_grace(account, headers)
    mail_headers = new_key_header()
    path = f"{account.path}/sub-users/{first.json['sub_user_id']}"
    account.portal.patch(path, json={"status": "active"})
    account.portal.post(f"{path}/credentials-mail", headers=mail_headers)

    account.portal.delete(path)

    for key_headers in (headers, mail_headers):
        (row,) = stored_responses(clients, key_headers)
        assert (row["sealed_body"], bytes(row["fingerprint"])) == ("", b"")
    retry: Any = create_grace(account, headers)
    assert (retry.status_code, retry.json["type"]) == (409, "urn:subusers:problem:response-erased")


def test_response_is_stored_for_24_hours(own_clients: ApiClients, clock: TravelingClock) -> None:
    """After that it is deleted, and the key can be used again."""
    account, headers = own_clients.register_account(), new_key_header()
    first = create_grace(account, headers)
    clock.advance(hours=23, minutes=59)
    own_clients.service.delete_expired()
    require_same_response(first, create_grace(account, headers))
    clock.advance(minutes=2)
    own_clients.service.delete_expired()
    assert stored_responses(own_clients, headers) == []
    require_problem(create_grace(account, headers), 409, "sub-user-email-taken")


def test_stored_response_does_not_reflect_later_changes(account: Account) -> None:
    headers = new_key_header()
    first: Any = create_grace(account, headers)
    account.portal.patch(f"{account.path}/sub-users/{first.json['sub_user_id']}", json={"name": "Ada"})
    require_same_response(first, create_grace(account, headers))
