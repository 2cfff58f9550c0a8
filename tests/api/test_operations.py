"""Endpoints for operators: health, readiness, and metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.flask_application import create_app
from tests.api.clients import METRICS_TOKEN, ApiClient, require_problem
from tests.api.route_table import routes

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients


@pytest.mark.parametrize(("path", "status"), [("/healthz", "ok"), ("/readyz", "ready")])
def test_health_and_readiness_are_public(clients: ApiClients, path: str, status: str) -> None:
    response = clients.anonymous.get(path)
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.json == {"status": status}


def test_metrics_are_prometheus_text(clients: ApiClients, account: Account) -> None:
    """They cover requests, projections and the mail queue, and have no ids and no secrets."""
    clients.portal.get(account.path)
    response = clients.prometheus.get("/metrics")
    assert (response.status_code, response.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    expected_labels = {"method": "GET", "route": "/v1/accounts/<uuid:account_id>", "status": "200"}
    assert any(
        sample.labels == expected_labels and sample.value > 0 for sample in families["subusers_http_requests"].samples
    )
    followers = {sample.labels["follower"] for sample in families["subusers_follower_behind"].samples}
    assert followers == {view.name for view in clients.service.workers.views}
    assert {"subusers_http_request_seconds", "subusers_mails_queued", "subusers_settled_position"} <= set(families)
    assert account.account_id not in response.text
    assert "Bearer" not in response.text


def test_metrics_count_decisions_about_access(clients: ApiClients, account: Account) -> None:
    """By introspection and AuthZEN, one for each question."""

    def decisions() -> Counter[str]:
        text = clients.prometheus.get("/metrics").text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        samples = families["subusers_access_decisions"].samples if "subusers_access_decisions" in families else []
        return Counter(
            {sample.labels["decision"]: int(sample.value) for sample in samples if sample.name.endswith("total")}
        )

    before, sub_user = decisions(), account.create_with_own_password()
    body = {"token": sub_user.new_token(), "permission": "assistants", "checks": [{"permission": "billing_settings"}]}
    assert clients.portal.post("/v1/sessions/introspect", json=body).status_code == 200
    evaluation = {
        "subject": {"type": "sub_user", "id": sub_user.sub_user_id},
        "action": {"name": "assistants"},
        "resource": {"type": "assistant", "id": "a-1"},
        "context": {"account_id": account.account_id},
    }
    assert clients.portal.post("/access/v1/evaluation", json=evaluation).status_code == 200
    counts = decisions()
    assert (counts["allowed"] - before["allowed"], counts["owner"] - before["owner"]) == (2, 1)


def test_unknown_paths_and_methods_add_few_metrics(clients: ApiClients) -> None:
    before = len(clients.prometheus.get("/metrics").text.splitlines())
    for number in range(20):
        clients.anonymous.get(f"/nonsense/{number}")
        clients.anonymous.request(f"BREW{number}", "/healthz")
    after = len(clients.prometheus.get("/metrics").text.splitlines())
    assert after - before < 30


@pytest.mark.parametrize("token", [None, "", "another-token-of-24-bytes", METRICS_TOKEN[:-1], "caf\u00e9"])
def test_metrics_require_their_token(clients: ApiClients, token: str | None) -> None:
    """The last recorded position would reveal whether a refused login was recorded."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    response = clients.anonymous.get("/metrics", headers=headers)
    require_problem(response, 401, "unknown-metrics-token")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="subusers metrics", error="invalid_token"'
    require_problem(clients.portal.get("/metrics"), 401, "unknown-metrics-token")


def test_metrics_are_disabled_without_a_token(clients: ApiClients) -> None:
    service = replace(clients.service, settings=replace(clients.service.settings, metrics_token=None))
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
        require_problem(ApiClient(create_app(service)).get("/metrics", headers=headers), 404, "not-found")


def test_public_routes_do_not_reflect_a_refused_login(clients: ApiClients, account: Account) -> None:
    """Their responses stay equal byte for byte, except for the request id."""
    sub_user = account.create_with_own_password()
    public_routes = [route for route in routes() if route.method == "GET" and not (route.scopes or route.audiences)]
    paths = [route.path(event_type="subusers.sub_user.created.v1", name="docs.css") for route in public_routes]
    assert "/readyz" in paths

    def public_responses() -> list[tuple[int, bytes, list[str]]]:
        responses = [clients.anonymous.get(path) for path in paths]
        return [(response.status_code, without_id(response), sorted(response.headers.keys())) for response in responses]

    def without_id(response: TestResponse) -> bytes:
        request_id: str = response.headers["X-Request-Id"]
        return bytes(response.data).replace(request_id.encode(), b"")

    before = public_responses()
    assert sub_user.log_in(password="not what it is").status_code == 401
    assert public_responses() == before
