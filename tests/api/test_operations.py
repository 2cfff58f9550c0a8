"""What operators and their machines ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.api.callers import Account, Doors


@pytest.mark.parametrize(("path", "status"), [("/healthz", "ok"), ("/readyz", "ready")])
def test_anybody_may_ask_how_the_service_is(doors: Doors, path: str, status: str) -> None:
    """200 without a key."""
    answer = doors.stranger.get(path)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.json == {"status": status}


def test_the_metrics_are_prometheus_text(doors: Doors, account: Account) -> None:
    """Requests by route and status, how far followers have come, what waits in the mail queue; no ids, no secrets."""
    doors.portal.get(account.path)
    answer = doors.stranger.get("/metrics")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    labels = {"method": "GET", "route": "/v1/accounts/<uuid:account_id>", "status": "200"}
    assert any(sample.labels == labels and sample.value > 0 for sample in families["subusers_http_requests"].samples)
    followers = {sample.labels["follower"] for sample in families["subusers_follower_behind"].samples}
    assert followers == {view.name for view in doors.service.views}
    assert {"subusers_http_request_seconds", "subusers_mails_queued", "subusers_settled_position"} <= set(families)
    assert account.account_id not in answer.text
    assert "Bearer" not in answer.text


def test_made_up_paths_and_methods_do_not_swell_the_metrics(doors: Doors) -> None:
    """Whoever asks for nonsense adds nothing but a count."""
    before = len(doors.stranger.get("/metrics").text.splitlines())
    for number in range(20):
        doors.stranger.get(f"/nonsense/{number}")
        doors.stranger.ask(f"BREW{number}", "/healthz")
    after = len(doors.stranger.get("/metrics").text.splitlines())
    assert after - before < 30
