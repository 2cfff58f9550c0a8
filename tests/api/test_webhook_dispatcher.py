"""Fairness of webhook delivery: receivers that hang do not delay others."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from adapters.postgres.tables.webhook_queue import CONCURRENT_PER_ACCOUNT, SLOW_CONCURRENT_PER_ACCOUNT
from adapters.webhooks.sender import TIMEOUT_SECONDS, WebhookSender
from api.bootstrap import transports
from api.bootstrap.webhook_dispatcher import WebhookDispatcher
from tests.builders import Company, catch_up
from tests.postgres import fetch
from tests.receiver import receiving
from tests.waiting import eventually
from tests.webhooks import Hook, allow_local_receivers

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.receiver import Receiver

HANGING_RECEIVERS = 40


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return settings with a delivery timeout longer than any test takes, unless a test sets its own."""
    timeout_seconds = getattr(request, "param", 50.0)
    monkeypatch.setattr(transports, "WebhookSender", partial(WebhookSender, timeout_seconds=timeout_seconds))
    return allow_local_receivers(settings)


@pytest.fixture
def hanging() -> Iterator[Receiver]:
    """Return a receiver that accepts every request, and answers none until the test ends."""
    with receiving() as receiver:

        def hang(_connection: socket.socket) -> None:
            receiver.stopped.wait()

        receiver.default_response = hang
        yield receiver


@contextmanager
def dispatching(service: Service, receiver: Receiver, **limits: Any) -> Iterator[None]:
    """Run a dispatcher until the block ends, then release waiting requests."""
    catch_up(service)
    stop = threading.Event()
    dispatcher = WebhookDispatcher(service.workers.webhook_deliveries, idle_seconds=0.02, **limits)
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        receiver.stopped.set()
        thread.join()


def test_receiver_gets_its_events_in_order_while_forty_others_hang(
    service: Service, company: Company, receiver: Receiver, hanging: Receiver
) -> None:
    for _ in range(HANGING_RECEIVERS):
        Hook.to(hanging, service, Company.register(service))
    Hook.to(receiver, service, company)
    company.create_sub_user()

    with dispatching(service, hanging):
        eventually(lambda: len(receiver.received) == 2)
        eventually(lambda: len(hanging.received) == HANGING_RECEIVERS)
    assert receiver.types == ["subusers.webhook.created.v1", "subusers.sub_user.created.v1"]


def has_more_than(receiver: Receiver, event_count: int) -> bool:
    return len(set(receiver.ids)) > event_count


def test_slow_receivers_leave_capacity_for_others(
    service: Service, company: Company, receiver: Receiver, hanging: Receiver, database_url: str
) -> None:
    for _ in range(6):
        Hook.to(hanging, service, Company.register(service))
    fetch(database_url, "UPDATE webhooks SET slow = true")
    with dispatching(service, hanging, max_deliveries=3, max_slow_deliveries=2):
        eventually(lambda: len(hanging.received) == 2)
        for number in range(3):
            Hook.to(receiver, service, company)
            catch_up(service)
            eventually(partial(has_more_than, receiver, number))
        assert len(hanging.received) == 2


def test_concurrent_deliveries_of_an_account_are_limited(
    service: Service, company: Company, receiver: Receiver, hanging: Receiver, database_url: str
) -> None:
    """While all receivers of one account hang, those of other accounts get their events.

    A fast receiver of the same account is not delayed by its slow ones either.
    """
    busy_account = Company.register(service)
    hooks = [Hook.to(hanging, service, busy_account) for _ in range(8)]
    with dispatching(service, hanging, max_deliveries=CONCURRENT_PER_ACCOUNT + 1):
        eventually(lambda: len(hanging.received) == CONCURRENT_PER_ACCOUNT)
        Hook.to(receiver, service, company)
        catch_up(service)
        eventually(lambda: receiver.received)
        assert len(hanging.received) == CONCURRENT_PER_ACCOUNT
    for hook in hooks:
        fetch(
            database_url, "UPDATE webhooks SET slow = true, due_at = created_at WHERE webhook_id = %s", hook.webhook_id
        )
    hanging.stopped.clear()
    hanging.received.clear()
    receiver.received.clear()
    Hook.to(receiver, service, busy_account)
    with dispatching(service, hanging):
        eventually(lambda: receiver.received)
        eventually(lambda: len(hanging.received) == SLOW_CONCURRENT_PER_ACCOUNT)
    assert len(hanging.received) == SLOW_CONCURRENT_PER_ACCOUNT


@pytest.mark.parametrize("settings", [2.5], indirect=True)
def test_slow_receivers_are_marked_until_they_recover(
    service: Service, company: Company, hanging: Receiver, database_url: str
) -> None:
    """An attempt is slow if it times out or takes more than two seconds."""
    hook = Hook.to(hanging, service, company)
    catch_up(service)
    service.workers.webhook_deliveries.deliver_next()
    assert hook.state().slow
    hanging.default_response = lambda connection: connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    fetch(database_url, "UPDATE webhooks SET due_at = created_at")
    assert service.workers.webhook_deliveries.claim(include_slow=False) is None
    service.workers.webhook_deliveries.deliver_next()
    assert not hook.state().slow


@pytest.mark.long
@pytest.mark.parametrize("settings", [TIMEOUT_SECONDS], indirect=True)
def test_forty_hanging_receivers_hardly_delay_another(
    service: Service, company: Company, receiver: Receiver, hanging: Receiver
) -> None:
    """The delay is at most three times that without them, or three seconds, with the timeout used in production."""
    Hook.to(receiver, service, company)

    def measure_delivery_seconds() -> float:
        before = len(receiver.received)
        company.create_sub_user()
        started = time.monotonic()
        catch_up(service)
        eventually(lambda: len(receiver.received) > before)
        return time.monotonic() - started

    with dispatching(service, hanging):
        seconds_alone = max(measure_delivery_seconds() for _ in range(3))
        for _ in range(HANGING_RECEIVERS):
            Hook.to(hanging, service, Company.register(service))
        assert max(measure_delivery_seconds() for _ in range(3)) < max(3 * seconds_alone, 3.0)
