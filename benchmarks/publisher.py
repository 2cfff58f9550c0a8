"""How many events a second does the publisher get to RabbitMQ, each confirmed? Exits 1 below 5,000.

Run it with `.venv/bin/python -m benchmarks.publisher`: it brings a database of its own, and needs a broker:
`SUBUSERS_BROKER_URL`, or the one of this machine. What it declares there it deletes. The bodies of the same messages
are published by a bare loop of kombu's in the same run, without confirms, for comparison.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from contextlib import contextmanager
from itertools import cycle, islice
from statistics import median
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from kombu import Connection, Producer
from rich.console import Console
from rich.table import Table

from adapters.amqp.rabbitmq import RabbitMq
from adapters.amqp.topology import Names, declare
from adapters.postgres.signals import CHANNEL
from api import bootstrap
from benchmarks.history import write_history
from benchmarks.long_history import ready_settings
from projections.published_events import CONTENT_TYPE, Envelopes
from projections.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from api.bootstrap import Service

BAR = 5_000
"""Events a second."""

SAMPLE = 1000
USUAL_BROKER = "amqp://guest:guest@127.0.0.1:5672"


class Target:
    """An exchange of this run's own, with the stream and one durable queue that take everything."""

    def __init__(self, url: str) -> None:
        self.names = Names(f"benchmark-{uuid4().hex[:8]}")
        self.queue = f"{self.names.prefix}.queue"
        client = Connection(url)
        self._connection = client.transport.establish_connection()
        declare(self._connection, self.names)
        self.channel: Any = self._connection.channel()
        self.channel.queue_declare(self.queue, durable=True, auto_delete=False)
        self.channel.queue_bind(self.queue, self.names.events, "#")

    def sample(self) -> list[tuple[str, str]]:
        """Take the routing keys and bodies of some messages out of the queue."""
        taken = [self.channel.basic_get(self.queue, no_ack=True) for _ in range(SAMPLE)]
        return [(one.delivery_info["routing_key"], one.body) for one in taken]

    def empty(self) -> int:
        """Empty the queue, and return how many messages it had."""
        purged: int = self.channel.queue_purge(self.queue)
        return purged

    def close(self) -> None:
        """Leave nothing on the broker."""
        for queue in (self.queue, self.names.stream, self.names.unrouted):
            self.channel.queue_delete(queue)
        for exchange in (self.names.events, self.names.unrouted):
            self.channel.exchange_delete(exchange)
        self._connection.close()


@contextmanager
def target_on(url: str) -> Iterator[Target]:
    """Lend a target."""
    target = Target(url)
    try:
        yield target
    finally:
        target.close()


def publish_with_confirms(service: Service, broker: RabbitMq, end: int) -> float:
    """Have the publisher go through the whole history; return the seconds that takes."""
    url = service.settings.database_url or ""
    stop = threading.Event()
    envelopes = Envelopes(service.settings.public_url)
    publisher = Publisher(lambda: bootstrap.connect_to_follow(url), CHANNEL, envelopes, broker)
    thread = threading.Thread(target=publisher.run, args=[stop])
    with psycopg.connect(service.settings.owner_url, autocommit=True) as connection:
        connection.execute("DELETE FROM followers WHERE name = 'publisher'")
        began = time.perf_counter()
        thread.start()
        while (
            connection.execute("SELECT FROM followers WHERE name = 'publisher' AND position = %s", [end]).rowcount < 1
        ):
            stop.wait(0.01)
        seconds = time.perf_counter() - began
    stop.set()
    thread.join()
    return seconds


def publish_bare(target: Target, messages: Iterable[tuple[str, str]]) -> float:
    """Publish as kombu's producer does by itself; return the seconds until the broker has read it all."""
    producer = Producer(target.channel)
    began = time.perf_counter()
    for key, body in messages:
        producer.publish(body, key, exchange=target.names.events, delivery_mode=2, content_type=CONTENT_TYPE)
    target.channel.queue_declare(target.queue, passive=True)
    return time.perf_counter() - began


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with ready_settings() as settings:
        url = settings.broker_url or USUAL_BROKER
        write_history(settings.owner_url, given.events)
        service = bootstrap.build(settings)
        confirmed, bare = [], []
        with target_on(url) as target:
            broker = RabbitMq(url, prefix=target.names.prefix)
            end = service.progress.settled_position()
            for _ in range(given.runs):
                confirmed.append(given.events / publish_with_confirms(service, broker, end))
                sample = target.sample()
                if target.empty() + SAMPLE < given.events:
                    sys.exit("not everything that was confirmed is in the queue")
                bare.append(given.events / publish_bare(target, islice(cycle(sample), given.events)))
                target.empty()
        service.close()
    show(median(confirmed), median(bare))
    return int(median(confirmed) < BAR)


def show(confirmed: float, bare: float) -> None:
    """Print the medians and the ratio."""
    table = Table("events a second, median", "", f"ratio (bar {BAR:,} a second)")
    table.add_row("the publisher: read, put into envelopes, confirmed, position stored", f"{confirmed:,.0f}", "")
    table.add_row("kombu alone: published, nothing confirmed", f"{bare:,.0f}", f"{confirmed / bare:.2f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
