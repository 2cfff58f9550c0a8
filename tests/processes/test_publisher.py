"""Publishing to RabbitMQ: delivery survives failures of broker and publisher, and never delays commands."""

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
from projections.feed.event_catalog import BY_TYPE, Envelopes
from projections.feed.publisher import Publisher
from tests.builders import Company
from tests.jobs import running_jobs
from tests.postgres import connect, fetch
from tests.processes.deployment import METRICS_TOKEN
from tests.processes.portal import Portal
from tests.processes.waiting import eventually
from tests.rabbitmq import Consumer, exchange_on
from tests.tcp_proxy import tcp_proxy
from tests.waiting import eventually as eventually_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from adapters.amqp.rabbitmq import RabbitMq
    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.processes.deployment import Deployment
    from tests.rabbitmq import OwnBroker

pytestmark = pytest.mark.timeout(300)
"""On a busy machine RabbitMQ alone may take a minute to start."""

ACCOUNTS = 20
CONFIRM_SECONDS = 1.0
MAX_MEDIAN_SECONDS = CONFIRM_SECONDS
"""For commands: one that waited for the broker would take longer."""


@pytest.fixture
def deployment(deploy: Callable[..., Deployment], settings: Settings) -> Deployment:
    """Prepare a deployment on the database of the `service` fixture."""
    return deploy(master_key=base64.b64encode(settings.master_keys[0]).decode())


def test_events_reach_consumers_across_a_broker_outage(deployment: Deployment, broker: OwnBroker) -> None:
    """Commands succeed without the broker; the metrics and `subusers status` report the outage."""
    url, api_key = broker.create_vhost(), deployment.api_key()
    with tcp_proxy(url) as proxy, Consumer(url, Names()) as consumer, Portal(deployment.url, api_key) as portal:
        deployment.environment["SUBUSERS_BROKER_URL"] = proxy.url
        deployment.serve("api", "work")
        first = portal.register()
        eventually(lambda: has_account(consumer, first.path))
        expected_types = {
            f"subusers.{kind}.v1" for kind in ("api_key.created", "api_key.first_used", "main_account.registered")
        }
        eventually(lambda: {event["type"] for event in list(consumer.events.values())} == expected_types)
        eventually(lambda: metric(portal, "subusers_publisher_published_total") == 3)
        checkpoint, *_ = eventually(lambda: list(consumer.checkpoints.values()))
        tree_size = checkpoint["data"]["tree_size"]
        assert checkpoint["position"] == tree_size
        assert metric(portal, "subusers_checkpoint_tree_size") >= tree_size
        assert metric(portal, "subusers_publisher_connected") == 1
        assert "broker: takes events since" in deployment.run("status").output

        proxy.shut()
        second = portal.register()
        eventually(lambda: metric(portal, "subusers_publisher_connected") == 0)
        assert metric(portal, "subusers_publisher_behind") == 1
        assert "broker: takes no events since" in deployment.run("status").output
        proxy.open()
        eventually(lambda: has_account(consumer, second.path))
        eventually(lambda: metric(portal, "subusers_publisher_connected") == 1)
    require_valid(consumer)
    assert "guest:guest" not in deployment.output


def require_valid(consumer: Consumer) -> None:
    """Require that each event is valid against the schema of its type."""
    envelopes = Envelopes("https://portal.example")
    schemas = {event["type"]: envelopes.schema(BY_TYPE[event["type"]]) for event in consumer.events.values()}
    validators = {
        name: jsonschema_rs.Draft202012Validator(schema, validate_formats=True) for name, schema in schemas.items()
    }
    for event in consumer.events.values():
        validators[event["type"]].validate(event)


def has_account(consumer: Consumer, path: str) -> bool:
    return any(path.endswith(event.get("accountid", "of no account")) for event in list(consumer.events.values()))


def metric(portal: Portal, name: str) -> float:
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    lines = portal.get("/metrics", headers=headers).text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def test_no_event_is_lost_after_a_kill(deployment: Deployment, service: Service, broker: OwnBroker) -> None:
    """The publisher and the broker are each killed once during 2,000 events."""
    require_every_event(deployment, service, broker, event_count=2000, kills=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_no_event_is_lost_after_many_kills(deployment: Deployment, service: Service, broker: OwnBroker) -> None:
    """The publisher and the broker are each killed ten times at random moments during 50,000 events."""
    require_every_event(deployment, service, broker, event_count=50_000, kills=10)


def require_every_event(
    deployment: Deployment, service: Service, broker: OwnBroker, event_count: int, kills: int
) -> None:
    """Require that a consumer that deduplicates by event id gets every event, in order within each account."""
    url = deployment.environment["SUBUSERS_BROKER_URL"] = broker.create_vhost()
    rng, history, batch = random.Random(), History(service), event_count // (2 * kills)
    with Consumer(url, Names()) as consumer:
        worker = deployment.start("work")
        for number in range(2 * kills):
            history.grow(batch)
            count = len(consumer.events) + rng.randrange(batch // 2)
            eventually_within(lambda count=count: len(consumer.events) >= count, within=120)  # type: ignore[misc]  # a default
            if number % 2:
                broker.kill()
                broker.start()
            else:
                worker.kill()
                worker = deployment.start("work")
        eventually_within(lambda: len(consumer.events) == event_count, within=300, pause=0.05)
    history.require_in_order(list(consumer.events.values()))
    require_valid(consumer)
    print(f"{event_count} events, {kills} kills of each, {consumer.duplicates} duplicates")


class History:
    """Login events in the streams of several accounts, recorded in batches."""

    def __init__(self, service: Service) -> None:
        self._recorder = service.main_accounts.recorder
        self._accounts = [uuid4() for _ in range(ACCOUNTS)]
        self._length = 0

    def grow(self, count: int) -> None:
        """Record this many more events."""
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
        """Require every recorded event, in the order of its account's stream."""
        by_account = defaultdict(list)
        for event in events:
            by_account[event["accountid"]].append(event["accountversion"])
        expected = list(range(1, self._length // ACCOUNTS + 1))
        assert dict(by_account) == {str(account_id): expected for account_id in self._accounts}


@contextmanager
def frozen(broker: OwnBroker) -> Iterator[str]:
    """Freeze the broker; yield the reported reasons, separated by `|`."""
    broker.freeze()
    try:
        yield "no confirm|timed out"
    finally:
        broker.thaw()


@contextmanager
def with_memory_alarm(broker: OwnBroker) -> Iterator[str]:
    """Trigger the broker's memory alarm, so that it accepts no messages; yield the reported reason."""
    broker.control("set_vm_memory_high_watermark", "0.00001")
    try:
        yield "resource alarm"
    finally:
        broker.control("set_vm_memory_high_watermark", "0.4")


@pytest.mark.parametrize("fault", [frozen, with_memory_alarm])
def test_broker_that_accepts_nothing_delays_no_command(
    service: Service, database_url: str, broker: OwnBroker, fault: Callable[[OwnBroker], Any]
) -> None:
    """The publisher's position stays where it is during the fault, and every event arrives afterwards."""
    company = Company.register(service)
    with (
        exchange_on(broker.url) as exchange,
        Consumer(broker.url, exchange.names) as consumer,
        publishing(database_url, exchange.broker(confirm_seconds=CONFIRM_SECONDS)),
    ):
        eventually(lambda: len(consumer.events) == 1)
        with fault(broker) as reason:
            company.create_sub_user()
            eventually(lambda: reports_outage(service, reason))
            before = position(database_url)
            assert median(duration_of(company.create_sub_user) for _ in range(5)) < MAX_MEDIAN_SECONDS
            assert position(database_url) == before < settled_position(service)
            assert len(consumer.events) == 1
        eventually(lambda: position(database_url) == settled_position(service))
        eventually(lambda: len(consumer.events) == 7)
        exchange.delete_queue(f"{exchange.prefix}.consumer")
    assert [event["accountversion"] for event in consumer.events.values()] == list(range(1, 8))


def duration_of(command: Callable[[], object]) -> float:
    """Return the duration of a command in seconds."""
    began = time.monotonic()
    command()
    return time.monotonic() - began


def publishing(database_url: str, rabbit: RabbitMq) -> AbstractContextManager[None]:
    """Run a publisher in this process."""
    envelopes = Envelopes("https://portal.example")
    return running_jobs(Publisher(lambda: connect(database_url), CHANNEL, envelopes, rabbit).run)


def reports_outage(service: Service, reason: str) -> bool:
    state = service.queries.progress.publisher()
    return state is not None and not state.available and any(text in str(state.reason) for text in reason.split("|"))


def position(database_url: str) -> int:
    rows = fetch(database_url, "SELECT position FROM followers WHERE name = 'publisher'")
    return int(rows[0][0]) if rows else 0


def settled_position(service: Service) -> int:
    return service.queries.progress.settled_position()


def test_publisher_needs_only_write_access_to_the_exchange(
    service: Service, database_url: str, broker: OwnBroker
) -> None:
    """Write permission on one exchange is enough when the topology is declared already."""
    Company.register(service)
    with exchange_on(broker.url) as exchange:
        user = f"writer-{uuid4().hex[:8]}"
        broker.control("add_user", user, "its-password")
        broker.control("set_permissions", user, "^$", f"^{exchange.names.events}$", "^$")
        with publishing(database_url, exchange.broker(broker.url.replace("guest:guest", f"{user}:its-password"))):
            eventually(lambda: position(database_url) == settled_position(service))
        broker.control("delete_user", user)
