"""Webhook delivery while workers are killed: at least once, and in order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from application.workers.webhook_deliveries import CLAIM_DURATION
from tests.postgres import fetch
from tests.processes.deployment import Deployment, kill
from tests.processes.portal import Portal
from tests.processes.waiting import eventually
from tests.receiver import receiving, status

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.processes.portal import Company
    from tests.receiver import Receiver

KILLS = 4
ACTIVITIES = 300
MAX_SEND_TIME = timedelta(seconds=10)
"""More than a live worker needs for one event in these tests; it renews its claim with each event."""

MAKE_DUE = "UPDATE webhooks SET due_at = now(), claimed_until = NULL WHERE claimed_until IS NULL OR claimed_until < %s"


def test_webhook_events_arrive_in_order_despite_killed_workers(
    deploy: Callable[..., Deployment], database_url: str
) -> None:
    """Two workers are killed in turn while they send, and the receiver sometimes fails."""
    deployment = deploy(webhook_allow="localhost")
    deployment.serve("api", "work", "work")
    with Portal(deployment.url, deployment.api_key()) as portal, receiving() as receiver:
        receiver.default_response = fail_sometimes
        company = portal.register()
        account_id = company.path.rpartition("/")[2]
        body = {"url": receiver.url, "account_id": account_id, "after": 0}
        webhook = portal.call(201, "POST", "/v1/webhooks", body).json()
        report_activities(portal, company)
        for number in range(1, KILLS + 1):
            wait_for(receiver, number * 20, database_url)
            worker = next(program for program in deployment.programs[1:] if program.process.poll() is None)
            kill(*worker.pids)
            worker.process.wait()
            deployment.start("work")
        expected = feed_of(portal, company)
        wait_for(receiver, len(expected), database_url)
        require_every_event_in_order(receiver, expected)
        assert len({event["type"] for event in expected}) > 1
        assert receiver.received[-1].verified_with(webhook["secret"])["id"] == expected[-1]["id"]


def fail_sometimes(connection: socket.socket) -> None:
    """Accept an event with 204, or with a probability of 3% fail with 503."""
    status(204 if random.random() < 0.97 else 503)(connection)


def report_activities(portal: Portal, company: Company) -> None:
    sub_user = company.add()
    activities = [
        {"sub_user_id": sub_user.sub_user_id, "action": f"tool.used.{number}"} for number in range(ACTIVITIES)
    ]
    portal.call(201, "POST", f"{company.path}/activities", {"activities": activities})


def feed_of(portal: Portal, company: Company) -> list[dict[str, Any]]:
    """Return the account's events from its feed."""
    events: list[dict[str, Any]] = portal.call(200, "GET", f"{company.path}/events?limit=1000").json()["items"]
    return events


def wait_for(receiver: Receiver, number: int, database_url: str) -> None:
    """Wait until this many events have arrived, skipping back-off and the claims of killed workers."""

    def have_arrived() -> bool:
        fetch(database_url, MAKE_DUE, datetime.now(UTC) + CLAIM_DURATION - MAX_SEND_TIME)
        return len(set(receiver.ids)) >= number

    eventually(have_arrived)


def require_every_event_in_order(receiver: Receiver, expected: list[dict[str, Any]]) -> None:
    """Require that each event arrived, and that first arrivals are in the order of the feed."""
    first: dict[str, dict[str, Any]] = {}
    for delivery in receiver.received:
        first.setdefault(delivery.headers["webhook-id"], delivery.event)
    assert list(first.values()) == expected
