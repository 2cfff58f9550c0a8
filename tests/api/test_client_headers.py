"""Request headers about the client: its address and browser, the request id, and the authorization scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tests.api.clients import require_problem

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClient, ApiClients


@pytest.mark.parametrize(
    ("header", "recorded"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("", None),
        (None, None),
    ],
)
def test_client_address_of_the_portal_is_recorded_normalized(
    account: Account, portal: ApiClient, header: str | None, recorded: str | None
) -> None:
    """Without the header no address is recorded, in particular not the portal's own."""
    headers = {} if header is None else {"X-Client-IP": header}
    portal.patch(account.path, json={"language": "it"}, headers=headers)
    assert account.audit_log_rows()[0]["ip"] == recorded


@pytest.mark.parametrize(
    "header",
    [
        *("localhost", "192.0.2", "192.0.2.256", "192.0.2.1, 192.0.2.2", "192.0.2.1:443", "192.0.2.0/24", "0x7f000001"),
        *("[2001:db8::1]", "fe80::1%eth0", "fe80::1%<script>", "1::2::3", "\u00e9", "'; --", "x" * 9000, "127.1"),
    ],
)
def test_invalid_client_address_is_refused(account: Account, portal: ApiClient, header: str) -> None:
    """The request changes nothing."""
    response = portal.patch(account.path, json={"language": "it"}, headers={"X-Client-IP": header})
    require_problem(response, 422, "invalid-input", "X-Client-IP")
    assert len(account.audit_log_rows()) == 1


@pytest.mark.parametrize(
    ("header", "recorded"),
    [
        ("Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)"),
        ("tab\tand \x7f delete", "taband  delete"),
        ("x" * 5000, "x" * 400),
        ("\x80\x81", None),
        ("", None),
        (None, None),
    ],
)
def test_user_agent_of_the_client_is_recorded(
    account: Account, portal: ApiClient, header: str | None, recorded: str | None
) -> None:
    """At most 400 printable characters are recorded, and never the portal's own user agent."""
    headers = {"User-Agent": "the portal's library", **({} if header is None else {"X-Client-User-Agent": header})}
    portal.patch(account.path, json={"language": "it"}, headers=headers)
    assert account.audit_log_rows()[0]["user_agent"] == recorded


def test_client_headers_of_other_scopes_are_ignored(clients: ApiClients, account: Account) -> None:
    """For support, the connection's address and user agent are recorded; the headers are not even validated."""
    body = {"limit": 12, "reason": "asked by phone"}
    headers = {"X-Client-IP": "no address", "X-Client-User-Agent": "a lie", "X-Request-Id": "a-lie"}
    headers |= {"X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9", "User-Agent": "support's terminal"}
    response = clients.support.put(f"{account.path}/sub-user-limit", json=body, headers=headers)
    assert response.status_code == 200
    assert response.headers["X-Request-Id"] != "a-lie"
    row = account.audit_log_rows()[0]
    assert (row["ip"], row["user_agent"]) == ("127.0.0.1", "support's terminal")


def test_proxy_headers_are_ignored(account: Account, portal: ApiClient) -> None:
    """The portal names its client in `X-Client-IP`, or not at all."""
    headers = {"X-Forwarded-For": "192.0.2.9", "X-Real-IP": "192.0.2.9", "Forwarded": "for=192.0.2.9"}
    portal.patch(account.path, json={"language": "it"}, headers=headers)
    assert account.audit_log_rows()[0]["ip"] is None


@pytest.mark.parametrize("request_id", ["a", "0af7651916cd43dd8448eb211c80319c", "job:7.retry-2_b", "x" * 64])
def test_request_id_of_the_portal_is_returned(portal: ApiClient, account: Account, request_id: str) -> None:
    """It is in the response header and in the problem."""
    assert portal.get(account.path, headers={"X-Request-Id": request_id}).headers["X-Request-Id"] == request_id
    refused = portal.patch(account.path, json={"language": "xx"}, headers={"X-Request-Id": request_id})
    assert require_problem(refused, 422, "invalid-input", "language")["request_id"] == request_id


@pytest.mark.parametrize("request_id", [None, "", "two words", "x" * 65, "caf\u00e9", "a/b", "<b>", "a\tb"])
def test_invalid_request_id_is_replaced(portal: ApiClient, account: Account, request_id: str | None) -> None:
    """The service generates a new UUID for each request."""
    headers = {} if request_id is None else {"X-Request-Id": request_id}
    generated_ids = {portal.get(account.path, headers=headers).headers["X-Request-Id"] for _ in range(2)}
    assert len({UUID(generated_id) for generated_id in generated_ids}) == 2


def test_unauthenticated_requests_get_generated_ids(clients: ApiClients) -> None:
    """This holds for public routes and for 401, 404 and 405."""
    headers = {"X-Request-Id": "a-lie"}
    for path in ("/v1/accounts", "/healthz", "/nowhere", "/v1/sessions"):
        response = clients.anonymous.request("GET", path, headers=headers)
        assert str(UUID(response.headers["X-Request-Id"])) != "a-lie"


def test_request_id_is_recorded_in_the_event(clients: ApiClients, account: Account) -> None:
    clients.portal.patch(account.path, json={"language": "it"}, headers={"X-Request-Id": "job-7"})
    (*_, last) = clients.service.main_accounts.events.get(UUID(account.account_id))
    assert getattr(last, "request_id", None) == "job-7"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_authorization_scheme_is_case_insensitive(clients: ApiClients, account: Account, scheme: str) -> None:
    """RFC 9110, section 11.1."""
    key = clients.portal.headers["Authorization"].removeprefix("Bearer ")
    response = clients.anonymous.get(account.path, headers={"Authorization": f"{scheme} {key}"})
    assert response.status_code == 200
