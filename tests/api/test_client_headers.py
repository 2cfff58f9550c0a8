"""Request headers about the client: its address and browser, the request id, and the authorization scheme."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
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
    body = {"sub_user_limit": 12, "reason": "asked by phone"}
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


TEXT_HEADERS = {"X-Actor": 200, "X-Reason": 500}
every_text_header = pytest.mark.parametrize("name", TEXT_HEADERS)


def recorded_text(row: dict[str, Any], header: str) -> str | None:
    """Return the text of a header in a row of the audit log."""
    text: str | None = row["actor"]["person"] if header == "X-Actor" else row["reason"]
    return text


@every_text_header
@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        ("Anna Bianchi <anna@portal.example>", "Anna Bianchi <anna@portal.example>"),
        ("Zo%C3%AB 100%25", "Zo\u00eb 100%"),
        ("Zo\u00eb".encode().decode("latin-1"), "Zo\u00eb"),
        ("50% of them", "50% of them"),
        ("  padded%20 ", "padded"),
        ("%20", None),
        ("", None),
        (None, None),
    ],
)
def test_actor_and_reason_of_a_command_are_recorded(
    account: Account, portal: ApiClient, name: str, value: str | None, recorded: str | None
) -> None:
    """They are UTF-8, as it is or percent-encoded."""
    headers = {} if value is None else {name: value}
    assert portal.patch(account.path, json={"language": "it"}, headers=headers).status_code == 200
    assert recorded_text(account.audit_log_rows()[0], name) == recorded


@every_text_header
def test_longest_text_of_a_header_is_accepted_and_a_longer_one_refused(
    account: Account, portal: ApiClient, name: str
) -> None:
    """Lengths count characters, not bytes."""
    longest = "%C3%A8" * TEXT_HEADERS[name]
    assert portal.patch(account.path, json={"language": "it"}, headers={name: longest}).status_code == 200
    assert recorded_text(account.audit_log_rows()[0], name) == "\u00e8" * TEXT_HEADERS[name]
    for invalid in (f"{longest}a", "%FF", "line%0Abreak", "\u00ff", "%E2%80%AE"):
        response = portal.patch(account.path, json={"language": "en"}, headers={name: invalid})
        require_problem(response, 422, "invalid-input", name)
    assert len(account.audit_log_rows()) == 2


def test_actor_and_reason_do_not_disturb_reads(account: Account, portal: ApiClient) -> None:
    """A name that cannot be recorded must not break the pages of a portal that sends it with every request."""
    headers = {"X-Actor": "%C3", "X-Reason": "x" * 501}
    assert portal.get(account.path, headers=headers).status_code == 200
    introspected = portal.post("/v1/sessions/introspect", json={"token": "none"}, headers=headers)
    assert introspected.json == {"active": False}
    refused = portal.patch(account.path, json={"language": "it"}, headers={"X-Actor": "%C3"})
    require_problem(refused, 422, "invalid-input", "X-Actor")


def test_every_event_of_an_api_command_has_the_api_key_the_actor_and_the_reason(clients: ApiClients) -> None:
    """With a portal or a support key, in every kind of stream of an account."""
    headers = {"X_Actor": "anna@portal.example", "X_Reason": "ticket 7"}
    portal, support = clients.portal.with_headers(**headers), clients.support.with_headers(**headers)
    account = replace(clients, portal=portal, support=support).register_account()
    sub_user = account.create_sub_user()
    portal.patch(sub_user.path, json={"status": "active"})
    assert (
        support.put(f"{account.path}/sub-user-limit", json={"sub_user_limit": 20, "reason": "ticket 7"}).status_code
        == 200
    )
    report = {"sub_user_id": sub_user.sub_user_id}
    for path, body in (
        ("activities", {"activities": [{**report, "action": "report.read"}]}),
        ("usage", {**report, "llm_tokens": 1}),
    ):
        assert portal.post(f"{account.path}/{path}", json=body).status_code == 201
    webhook = {"url": "https://receiver.example/", "account_id": account.account_id}
    created: Any = portal.post("/v1/webhooks", json=webhook).json
    assert portal.delete(f"/v1/webhooks/{created['webhook_id']}").status_code == 204
    assert portal.delete(account.path).status_code == 204

    rows = account.audit_log_rows()

    assert {row["action"] for row in rows} >= {"main_account.registered", "report.read", "sub_user.usage_recorded"}
    assert {row["action"] for row in rows} >= {"webhook.created", "webhook.deleted", "sub_user.activated"}
    for row in rows:
        expected_key = clients.support if row["action"] == "main_account.sub_user_limit_raised" else clients.portal
        assert (row["actor"]["api_key_id"], row["actor"]["person"], row["reason"]) == (
            key_id(clients, expected_key),
            "anna@portal.example",
            "ticket 7",
        ), row["action"]


def key_id(clients: ApiClients, client: ApiClient) -> str:
    """Return the id of the API key of a client."""
    key = clients.service.commands.api_keys.find(client.headers["Authorization"].removeprefix("Bearer "))
    assert key is not None
    return str(key.api_key_id)


def test_actor_and_reason_of_an_auditor_are_ignored(clients: ApiClients, account: Account) -> None:
    """Reads are recorded once within five minutes for each key, whoever reads."""
    headers = {"X-Actor": "line%0Abreak", "X-Reason": "none"}
    assert clients.auditor.get(f"{account.path}/audit-log", headers=headers).status_code == 200
    row = account.audit_log_rows()[0]
    assert (row["action"], row["actor"]["person"], row["reason"]) == ("audit_log.read", None, None)
    assert row["actor"]["api_key_id"] == row["actor"]["id"]


def test_feed_has_the_api_key_but_neither_the_actor_nor_the_reason(clients: ApiClients) -> None:
    """The feed has no personal data."""
    portal = clients.portal.with_headers(X_Actor="anna@portal.example", X_Reason="ticket 7")
    account = replace(clients, portal=portal).register_account()
    position = account.audit_log_rows()[0]["position"]
    page: Any = clients.analytics.get(f"/v1/events?after={position - 1}&limit=1").json
    (event,) = page["items"]
    assert event["data"]["actor"] == {
        "type": "main_account",
        "id": account.account_id,
        "api_key_id": key_id(clients, clients.portal),
    }
