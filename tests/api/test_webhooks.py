"""Webhooks over HTTP: creation, secrets, limits, deliveries, and replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.clients import ApiClients, require_problem
from tests.receiver import receiving, status
from tests.webhooks import allow_local_receivers, deliver

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.api.clients import Account, ApiClient

URL = "https://receiver.example/hook?key=1"


def post_webhook(client: ApiClient, account: Account | None = None, **body: Any) -> TestResponse:
    account_field = {"account_id": account.account_id} if account is not None else {}
    return client.post("/v1/webhooks", json={"url": URL, **account_field, **body})


def create_webhook(client: ApiClient, account: Account | None = None, **body: Any) -> Any:
    response = post_webhook(client, account, **body)
    assert response.status_code == 201, response.text
    return response.json


def test_secret_is_returned_only_at_creation(portal: ApiClient, account: Account) -> None:
    response = post_webhook(portal, account, event_types=["subusers.sub_user.created.v1"], description="Front desk")
    webhook: Any = response.json
    secret, public_key = webhook.pop("secret"), webhook.pop("public_key")
    assert secret.startswith("whsec_")
    assert public_key is None
    assert webhook == {
        "webhook_id": webhook["webhook_id"],
        "account_id": account.account_id,
        "api_key_id": webhook["api_key_id"],
        "url": URL,
        "event_types": ["subusers.sub_user.created.v1"],
        "types": ["subusers.sub_user.created.v1"],
        "description": "Front desk",
        "signature_algorithm": "hmac",
        "signature": "hmac",
        "status": "active",
        "created_at": webhook["created_at"],
        "position": webhook["position"],
        "failures": 0,
        "next_attempt_at": None,
        "disabled_at": None,
        "disabled_reason": None,
        "disabled_why": None,
    }
    assert webhook["position"] < int(response.headers["Event-Position"])
    assert response.headers["Location"] == f"/v1/webhooks/{webhook['webhook_id']}"
    read = portal.get(response.headers["Location"])
    assert read.json == webhook
    listed: Any = portal.get("/v1/webhooks", query_string={"account_id": account.account_id}).json
    assert listed["items"] == [webhook]


def test_ed25519_webhook_returns_its_public_key(clients: ApiClients) -> None:
    webhook = create_webhook(clients.analytics, signature_algorithm="ed25519")
    assert (webhook["secret"], webhook["account_id"]) == (None, None)
    assert webhook["public_key"].startswith("whpk_")
    rotated: Any = clients.analytics.post(f"/v1/webhooks/{webhook['webhook_id']}/secrets").json
    assert rotated["public_key"] not in {None, webhook["public_key"]}
    assert rotated["secret"] is None
    assert clients.analytics.delete(f"/v1/webhooks/{webhook['webhook_id']}").status_code == 204


def test_portal_needs_an_account_and_analytics_must_not_name_one(clients: ApiClients, account: Account) -> None:
    require_problem(post_webhook(clients.portal), 422, "invalid-input", "account_id")
    require_problem(post_webhook(clients.analytics, account), 422, "invalid-input", "account_id")
    response = clients.portal.post("/v1/webhooks", json={"url": URL, "account_id": str(uuid4())})
    require_problem(response, 404, "account-not-found")
    clients.portal.delete(account.path)
    require_problem(post_webhook(clients.portal, account), 409, "account-closed")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("url", value)
            for value in ("http://receiver.example/", "https://10.0.0.1/", "https://u:p@receiver.example/")
        ),
        *(
            ("url", value)
            for value in ("", None, 1, "https://", "https://receiver.example/" + "x" * 2000, "https://a\0b/")
        ),
        *(
            ("event_types", value)
            for value in ([], ["subusers.nothing.v1"], "subusers.sub_user.created.v1", [None], [1])
        ),
        *(("signature_algorithm", value) for value in ("none", None, 1, "HMAC")),
        *(("after", value) for value in (-1, 2**63, 10**12, "1", True, 1.5)),
        *(("description", value) for value in ("", "x" * 101, "a\nb", "\ud800", 1)),
        ("account_id", "no id"),
        ("secret", "whsec_of-my-own"),
    ],
)
def test_invalid_field_is_refused(portal: ApiClient, account: Account, field: str, value: Any) -> None:
    require_problem(post_webhook(portal, account, **{field: value}), 422, "invalid-input", field)


def test_webhooks_per_account_are_limited(portal: ApiClient, account: Account) -> None:
    for _ in range(10):
        create_webhook(portal, account)
    require_problem(post_webhook(portal, account), 409, "webhook-limit-reached")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", ""), ("DELETE", ""), ("POST", "/secrets"), ("POST", "/enable"), ("GET", "/deliveries")),
        ("POST", "/replay"),
    ],
)
def test_webhook_of_another_scope_is_not_found(clients: ApiClients, account: Account, method: str, path: str) -> None:
    """The response is the same as for an unknown webhook, on every route."""
    account_webhook, global_webhook = create_webhook(clients.portal, account), create_webhook(clients.analytics)
    body: dict[str, Any] = {"json": {"after": 0}} if path == "/replay" else {}
    for client, other_webhook in ((clients.portal, global_webhook), (clients.analytics, account_webhook)):
        for webhook_id in (other_webhook["webhook_id"], uuid4()):
            response = client.request(method, f"/v1/webhooks/{webhook_id}{path}", **body)
            require_problem(response, 404, "webhook-not-found")
    clients.analytics.delete(f"/v1/webhooks/{global_webhook['webhook_id']}")


def test_list_is_paginated(portal: ApiClient, account: Account) -> None:
    ids = [create_webhook(portal, account)["webhook_id"] for _ in range(3)]
    query = {"account_id": account.account_id, "limit": "2"}
    first: Any = portal.get("/v1/webhooks", query_string=query).json
    second: Any = portal.get("/v1/webhooks", query_string={**query, "cursor": first["next_cursor"]}).json
    assert [webhook["webhook_id"] for webhook in (*first["items"], *second["items"])] == ids
    assert second["next_cursor"] is None
    require_problem(portal.get("/v1/webhooks", query_string={"cursor": "x"}), 422, "invalid-input", "cursor")


def test_deleted_webhook_is_not_found(portal: ApiClient, account: Account) -> None:
    path = f"/v1/webhooks/{create_webhook(portal, account)['webhook_id']}"
    deleted = portal.delete(path)
    assert deleted.status_code == 204
    assert int(deleted.headers["Event-Position"]) > 0
    require_problem(portal.get(path), 404, "webhook-not-found")
    require_problem(portal.delete(path), 404, "webhook-not-found")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return allow_local_receivers(settings)


def test_delivery_attempts_are_listed_and_can_be_repeated(service: Service, own_clients: ApiClients) -> None:
    """Attempts are newest first, and show only the status of the receiver's response.

    A disabled webhook can be enabled, and an enabled one can be replayed.
    """
    account = own_clients.register_account()
    with receiving() as receiver:
        receiver.queued_responses = [status(200), status(410, "X-Secret: theirs")]
        webhook = create_webhook(own_clients.portal, account, url=receiver.url)
        path = f"/v1/webhooks/{webhook['webhook_id']}"
        account.create_sub_user()
        deliver(service)
        response = own_clients.portal.get(f"{path}/deliveries", query_string={"limit": 1})
        first: Any = response.json
        attempt = first["items"][0]
        assert "theirs" not in response.text
        assert attempt == {
            "event_id": receiver.ids[1],
            "type": "subusers.sub_user.created.v1",
            "position": receiver.received[1].event["position"],
            "attempt": 1,
            "attempted_at": attempt["attempted_at"],
            "status": 410,
            "reason": None,
            "error": None,
            "milliseconds": attempt["milliseconds"],
        }
        query = {"limit": 1, "cursor": first["next_cursor"]}
        second: Any = own_clients.portal.get(f"{path}/deliveries", query_string=query).json
        assert [delivery["status"] for delivery in second["items"]] == [200]
        assert second["next_cursor"] is None
        enable_disabled_webhook(own_clients, service, path)
        assert receiver.types[2] == "subusers.sub_user.created.v1"
        receiver.received.clear()
        replayed: Any = own_clients.portal.post(f"{path}/replay", json={"after": 0}).json
        assert replayed["position"] == 0
        deliver(service)
        assert receiver.types[0] == "subusers.main_account.registered.v1"


def enable_disabled_webhook(clients: ApiClients, service: Service, path: str) -> None:
    """Enable a webhook whose receiver is gone, and deliver its events."""
    disabled: Any = clients.portal.get(path).json
    assert (disabled["status"], disabled["disabled_reason"], disabled["failures"]) == ("disabled", "gone", 1)
    assert disabled["disabled_at"] is not None
    enabled = clients.portal.post(f"{path}/enable")
    webhook: Any = enabled.json
    assert (webhook["status"], webhook["disabled_at"], webhook["failures"]) == ("active", None, 0)
    assert int(enabled.headers["Event-Position"]) > disabled["position"]
    deliver(service)


def test_log_has_no_secrets_and_no_urls(
    service: Service, own_clients: ApiClients, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed delivery is logged with the webhook's id."""
    account = own_clients.register_account()
    with receiving() as receiver:
        receiver.default_response = status(500)
        webhook = create_webhook(own_clients.portal, account, url=f"{receiver.url}/canary?canary")
        own_clients.portal.post(f"/v1/webhooks/{webhook['webhook_id']}/secrets")
        deliver(service)
    output = "".join(capsys.readouterr())
    assert "webhook.failed" in output
    assert webhook["webhook_id"] in output
    for secret in ("canary", receiver.url, webhook["secret"], receiver.received[0].signatures[0]):
        assert secret not in output


@pytest.mark.parametrize("path", ["/secrets", "/enable"])
def test_unexpected_body_is_ignored(portal: ApiClient, account: Account, path: str) -> None:
    webhook = create_webhook(portal, account)
    response = portal.post(f"/v1/webhooks/{webhook['webhook_id']}{path}", json={"any": "thing"})
    assert response.status_code in {200, 201}


def test_building_the_service_loads_no_certificates(build: Callable[..., Service]) -> None:
    """Only the sender needs them: loading them takes as long as the rest of the construction."""
    sender: Any = build().workers.webhook_deliveries._sender  # noqa: SLF001  # loaded lazily, not visible otherwise
    assert "_context" not in vars(sender)
    assert sender._context.check_hostname  # noqa: SLF001
    assert "_context" in vars(sender)


def test_test_event_is_sent_at_once_and_reported(own_clients: ApiClients) -> None:
    """It is signed like every event. The webhook's position, failures and delivery log do not change."""
    with receiving() as receiver:
        webhook = create_webhook(own_clients.portal, own_clients.register_account(), url=receiver.url)
        receiver.queued_responses = [status(204), status(500)]
        path = f"/v1/webhooks/{webhook['webhook_id']}/test"
        accepted: Any = own_clients.portal.post(path).json
        refused: Any = own_clients.portal.post(path).json
        first, second = receiver.received
    assert (accepted["succeeded"], accepted["status"], accepted["reason"]) == (True, 204, None)
    assert (refused["succeeded"], refused["status"], refused["reason"]) == (False, 500, None)
    event = first.verified_with(webhook["secret"])
    assert (event["type"], event["id"]) == ("subusers.webhook.test.v1", accepted["event_id"])
    assert event["data"] == {"webhook_id": webhook["webhook_id"]}
    assert second.verified_with(webhook["secret"])["id"] == refused["event_id"] != accepted["event_id"]
    unreachable: Any = own_clients.portal.post(path).json
    assert (unreachable["succeeded"], unreachable["status"], unreachable["reason"]) == (False, None, "no-connection")
    after: Any = own_clients.portal.get(f"/v1/webhooks/{webhook['webhook_id']}").json
    assert (after["failures"], after["position"]) == (0, webhook["position"])
    deliveries: Any = own_clients.portal.get(f"/v1/webhooks/{webhook['webhook_id']}/deliveries").json
    assert deliveries["items"] == []
