"""Every event gets to its consumers, whatever becomes of broker and publisher, and no command waits for it."""

from __future__ import annotations

import base64
import json
import random
import time
from collections import defaultdict
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import jsonschema_rs
import pytest
from eventsourcing.persistence import StoredEvent

from adapters.amqp.topology import Names
from adapters.postgres.signals import CHANNEL
from projections.published_events import BY_TYPE, Envelopes
from projections.publisher import Publisher
from tests.jobs import at_work
from tests.people import Company
from tests.postgres import ask, connect
from tests.processes.portal import Portal
from tests.processes.waiting import eventually
from tests.rabbitmq import Consumer, exchange_on
from tests.waiting import eventually as eventually_within
from tests.wire import wire_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from adapters.amqp.rabbitmq import RabbitMq
    from api.bootstrap import Service
    from api.config import Settings
    from tests.processes.deployment import Deployment
    from tests.rabbitmq import OwnBroker

pytestmark = pytest.mark.timeout(300)
"""Where a machine is busy, RabbitMQ alone may take a minute to start."""

ACCOUNTS = 20
CONFIRM_SECONDS = 1.0
LONGEST_COMMAND = CONFIRM_SECONDS
"""Seconds that one of several commands may take here; whoever waited for the broker would do so with each."""


@pytest.fixture
def deployment(deploy: Callable[..., Deployment], settings: Settings) -> Deployment:
    """Prepare the service as processes on the database of the test's own service."""
    return deploy(master_key=base64.b64encode(settings.master_keys[0]).decode())


def test_the_service_publishes(deployment: Deployment, broker: OwnBroker) -> None:
    """What a portal does gets to consumers; without the broker commands go on, and everybody who asks is told."""
    url, api_key = broker.vhost(), deployment.api_key()
    with wire_to(url) as wire, Consumer(url, Names()) as consumer, Portal(deployment.url, api_key) as portal:
        deployment.environment["SUBUSERS_BROKER_URL"] = wire.url
        deployment.serve("api", "work")
        first = portal.register()
        eventually(lambda: has_account(consumer, first.path))
        eventually(lambda: metric(portal, "subusers_publisher_published_total") == 1)
        (checkpoint,) = eventually(lambda: list(consumer.checkpoints.values()))
        assert (checkpoint["position"], checkpoint["data"]["tree_size"]) == (1, 1)
        assert metric(portal, "subusers_checkpoint_tree_size") == 1
        assert metric(portal, "subusers_publisher_connected") == 1
        assert "broker: takes events since" in deployment.run("status").output

        wire.shut()
        second = portal.register()
        eventually(lambda: metric(portal, "subusers_publisher_connected") == 0)
        assert metric(portal, "subusers_publisher_behind") == 1
        assert "broker: takes no events since" in deployment.run("status").output
        wire.open()
        eventually(lambda: has_account(consumer, second.path))
        eventually(lambda: metric(portal, "subusers_publisher_connected") == 1)
    require_valid(consumer)
    assert "guest:guest" not in deployment.said


def require_valid(consumer: Consumer) -> None:
    """What came is what the schemas of its types say."""
    envelopes = Envelopes("https://portal.example")
    schemas = {event["type"]: envelopes.schema(BY_TYPE[event["type"]]) for event in consumer.events.values()}
    validators = {name: jsonschema_rs.Draft202012Validator(one, validate_formats=True) for name, one in schemas.items()}
    for event in consumer.events.values():
        validators[event["type"]].validate(event)


def has_account(consumer: Consumer, path: str) -> bool:
    return any(path.endswith(event["accountid"]) for event in list(consumer.events.values()))


def metric(portal: Portal, name: str) -> float:
    lines = portal.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def test_nothing_is_lost_over_a_kill(deployment: Deployment, service: Service, broker: OwnBroker) -> None:
    """Of the publisher, and of the broker, amid 2,000 events: see `require_all_arrive`."""
    require_all_arrive(deployment, service, broker, events=2000, kills=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nothing_is_lost_over_many_kills(deployment: Deployment, service: Service, broker: OwnBroker) -> None:
    """So it is with 50,000, and ten kills of each at random moments."""
    require_all_arrive(deployment, service, broker, events=50_000, kills=10)


def require_all_arrive(deployment: Deployment, service: Service, broker: OwnBroker, events: int, kills: int) -> None:
    """A consumer that knows events again by their id has every one, and each account's in order."""
    url = deployment.environment["SUBUSERS_BROKER_URL"] = broker.vhost()
    chance, history, part = random.Random(), History(service), events // (2 * kills)
    with Consumer(url, Names()) as consumer:
        work = deployment.start("work")
        for number in range(2 * kills):
            history.grow(part)
            few = len(consumer.events) + chance.randrange(part // 2)
            eventually_within(lambda few=few: len(consumer.events) >= few, within=120)  # type: ignore[misc]  # a default
            if number % 2:
                broker.kill()
                broker.start()
            else:
                work.kill()
                work = deployment.start("work")
        eventually_within(lambda: len(consumer.events) == events, within=300, pause=0.05)
    history.require_in_order(list(consumer.events.values()))
    require_valid(consumer)
    print(f"{events} events, {kills} kills of each, {consumer.repeated} repeated")


class History:
    """Logins, recorded one batch after another, in the streams of some accounts."""

    def __init__(self, service: Service) -> None:
        self._recorder = service.main_accounts.recorder
        self._accounts = [uuid4() for _ in range(ACCOUNTS)]
        self._length = 0

    def grow(self, count: int) -> None:
        """Record so many more."""
        state = {
            "timestamp": "2026-11-23T21:09:33.035893+00:00",
            "actor_type": "sub_user",
            "sub_user_id": str(uuid4()),
            "session_id": str(uuid4()),
            "with_temporary_password": False,
        }
        numbers = range(self._length, self._length + count)
        self._recorder.insert_events(
            [
                StoredEvent(
                    self._accounts[number % ACCOUNTS],
                    number // ACCOUNTS + 1,
                    "SubUserLoggedIn",
                    json.dumps(state).encode(),
                )
                for number in numbers
            ]
        )
        self._length += count

    def require_in_order(self, events: list[dict[str, Any]]) -> None:
        """Every event is among these, and an account's come in the order of its history."""
        by_account = defaultdict(list)
        for event in events:
            by_account[event["accountid"]].append(event["accountversion"])
        expected = list(range(1, self._length // ACCOUNTS + 1))
        assert dict(by_account) == {str(one): expected for one in self._accounts}


@contextmanager
def frozen(broker: OwnBroker) -> Iterator[str]:
    """Have the broker stand still; yield what is told of it then."""
    broker.freeze()
    try:
        yield "no confirm|timed out"
    finally:
        broker.thaw()


@contextmanager
def full(broker: OwnBroker) -> Iterator[str]:
    """Have the broker take nothing for want of memory; yield what is told of it then."""
    broker.ask("set_vm_memory_high_watermark", "0.00001")
    try:
        yield "an alarm of its own"
    finally:
        broker.ask("set_vm_memory_high_watermark", "0.4")


@pytest.mark.parametrize("fault", [frozen, full])
def test_a_broker_that_takes_nothing(
    service: Service, database_url: str, broker: OwnBroker, fault: Callable[[OwnBroker], Any]
) -> None:
    """Nothing counts as published meanwhile, no command is slower for it, and afterwards all of it arrives."""
    company = Company.register(service)
    with (
        exchange_on(broker.url) as exchange,
        Consumer(broker.url, exchange.names) as consumer,
        publishing(database_url, exchange.broker(confirm_seconds=CONFIRM_SECONDS)),
    ):
        eventually(lambda: len(consumer.events) == 1)
        with fault(broker) as reason:
            company.let_in()
            eventually(lambda: tells(service, reason))
            before = position(database_url)
            assert median(seconds(company.let_in) for _ in range(5)) < LONGEST_COMMAND
            assert position(database_url) == before < settled(service)
            assert len(consumer.events) == 1
        eventually(lambda: position(database_url) == settled(service))
        eventually(lambda: len(consumer.events) == 7)
        exchange.delete_queue(f"{exchange.prefix}.consumer")
    assert [event["accountversion"] for event in consumer.events.values()] == list(range(1, 8))


def seconds(command: Callable[[], object]) -> float:
    """Return how long a command takes."""
    began = time.monotonic()
    command()
    return time.monotonic() - began


def publishing(database_url: str, rabbit: RabbitMq) -> AbstractContextManager[None]:
    """Have a publisher run here."""
    envelopes = Envelopes("https://portal.example")
    return at_work(Publisher(lambda: connect(database_url), CHANNEL, envelopes, rabbit).run)


def tells(service: Service, reason: str) -> bool:
    state = service.progress.publisher()
    return state is not None and not state.available and any(one in str(state.reason) for one in reason.split("|"))


def position(database_url: str) -> int:
    rows = ask(database_url, "SELECT position FROM followers WHERE name = 'publisher'")
    return int(rows[0][0]) if rows else 0


def settled(service: Service) -> int:
    return service.progress.settled_position()


def test_a_user_who_may_do_nothing_but_publish(service: Service, database_url: str, broker: OwnBroker) -> None:
    """Where somebody else has declared what is needed, the right to write to one exchange is enough."""
    Company.register(service)
    with exchange_on(broker.url) as exchange:
        user = f"writer-{uuid4().hex[:8]}"
        broker.ask("add_user", user, "its-password")
        broker.ask("set_permissions", user, "^$", f"^{exchange.names.events}$", "^$")
        with publishing(database_url, exchange.broker(broker.url.replace("guest:guest", f"{user}:its-password"))):
            eventually(lambda: position(database_url) == settled(service))
        broker.ask("delete_user", user)
