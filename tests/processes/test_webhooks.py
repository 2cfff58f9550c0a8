"""Events reach a receiver while those who send them are killed: all of them, in order, some of them twice."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from application.webhook_deliveries import CLAIMED_FOR
from tests.postgres import ask
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
LONGEST_TO_SEND = timedelta(seconds=10)
"""More than a living worker takes over one event here: it renews its claim with each."""

HURRY = "UPDATE webhooks SET due_at = now(), claimed_until = NULL WHERE claimed_until IS NULL OR claimed_until < %s"


def test_no_event_is_lost_and_none_comes_before_another(deploy: Callable[..., Deployment], database_url: str) -> None:
    """Two workers, killed in the middle of sending, one after the other; the receiver fails now and then as well."""
    deployment = deploy(webhook_allow="localhost")
    deployment.serve("api", "work", "work")
    with Portal(deployment.url, deployment.api_key()) as portal, receiving() as receiver:
        receiver.usually = mostly_well
        company = portal.register()
        account_id = company.path.rpartition("/")[2]
        body = {"url": receiver.url, "account_id": account_id, "after": 0}
        made = portal.ask(201, "POST", "/v1/webhooks", body).json()
        report(portal, company)
        for number in range(1, KILLS + 1):
            wait_for(receiver, number * 20, database_url)
            worker = next(one for one in deployment.programs[1:] if one.process.poll() is None)
            kill(*worker.pids)
            worker.process.wait()
            deployment.start("work")
        expected = feed(portal, company)
        wait_for(receiver, len(expected), database_url)
        require_every_event_in_order(receiver, expected)
        assert len({event["type"] for event in expected}) > 1
        assert receiver.received[-1].verified_with(made["secret"])["id"] == expected[-1]["id"]


def mostly_well(connection: socket.socket) -> None:
    """Take an event, or seldom answer with a failure."""
    status(204 if random.random() < 0.97 else 503)(connection)


def report(portal: Portal, company: Company) -> None:
    one = company.add()
    activities = [{"sub_user_id": one.sub_user_id, "action": f"tool.used.{number}"} for number in range(ACTIVITIES)]
    portal.ask(201, "POST", f"{company.path}/activities", {"activities": activities})


def feed(portal: Portal, company: Company) -> list[dict[str, Any]]:
    """Return the account's events, as the feed has them."""
    events: list[dict[str, Any]] = portal.ask(200, "GET", f"{company.path}/events?limit=1000").json()["items"]
    return events


def wait_for(receiver: Receiver, number: int, database_url: str) -> None:
    """Wait until so many events have come. Nobody waits for the claims of the dead, or for the time of a retry."""

    def have_come() -> bool:
        ask(database_url, HURRY, datetime.now(UTC) + CLAIMED_FOR - LONGEST_TO_SEND)
        return len(set(receiver.ids)) >= number

    eventually(have_come)


def require_every_event_in_order(receiver: Receiver, expected: list[dict[str, Any]]) -> None:
    """Each came once at least, and the first time before any that stands after it."""
    first: dict[str, dict[str, Any]] = {}
    for one in receiver.received:
        first.setdefault(one.headers["webhook-id"], one.event)
    assert list(first.values()) == expected
