"""Does the publisher deliver 5,000 events per second to RabbitMQ, each one confirmed? Exits 1 if not.

Run `.venv/bin/python -m benchmarks.publisher`. It creates its own database, and needs a broker: `SUBUSERS_BROKER_URL`,
or the one on this machine. It removes its queues and exchanges at the end. For comparison, a bare kombu loop publishes
the bodies of the same messages in the same run, without confirms.
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
from api.bootstrap import composition_root, connections
from application.ports.broker import CONTENT_TYPE
from benchmarks.history import write_history
from benchmarks.servers import temporary_database
from projections.feed.event_catalog import Envelopes
from projections.feed.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from api.bootstrap.service import Service

BAR = 5_000
"""Events per second."""

SAMPLE_SIZE = 1000
DEFAULT_BROKER = "amqp://guest:guest@127.0.0.1:5672"


class Target:
    """Exchange of this run, with the stream and one durable queue that receive every message."""

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
        """Take some messages from the queue, and return their routing keys and bodies."""
        messages = [self.channel.basic_get(self.queue, no_ack=True) for _ in range(SAMPLE_SIZE)]
        return [(message.delivery_info["routing_key"], message.body) for message in messages]

    def empty(self) -> int:
        """Empty the queue, and return its number of messages."""
        purged: int = self.channel.queue_purge(self.queue)
        return purged

    def close(self) -> None:
        """Delete the queues and exchanges."""
        for queue in (self.queue, self.names.stream, self.names.unrouted):
            self.channel.queue_delete(queue)
        for exchange in (self.names.events, self.names.unrouted):
            self.channel.exchange_delete(exchange)
        self._connection.close()


@contextmanager
def temporary_target(url: str) -> Iterator[Target]:
    """Yield a target on a broker, and delete it afterwards."""
    target = Target(url)
    try:
        yield target
    finally:
        target.close()


def publish_with_confirms(service: Service, broker: RabbitMq, end: int) -> float:
    """Let the publisher publish the whole history; return the seconds taken."""
    url = service.settings.database_url or ""
    stop = threading.Event()
    envelopes = Envelopes(service.source)
    publisher = Publisher(lambda: connections.connect_to_follow(url), CHANNEL, envelopes, broker)
    thread = threading.Thread(target=publisher.run, args=[stop])
    with psycopg.connect(service.settings.owner_url, autocommit=True) as connection:
        connection.execute("DELETE FROM followers WHERE name = 'publisher'")
        started_at = time.perf_counter()
        thread.start()
        while (
            connection.execute("SELECT FROM followers WHERE name = 'publisher' AND position = %s", [end]).rowcount < 1
        ):
            stop.wait(0.01)
        seconds = time.perf_counter() - started_at
    stop.set()
    thread.join()
    return seconds


def publish_bare(target: Target, messages: Iterable[tuple[str, str]]) -> float:
    """Publish with kombu's producer; return the seconds until the broker has received everything."""
    producer = Producer(target.channel)
    started_at = time.perf_counter()
    for key, body in messages:
        producer.publish(body, key, exchange=target.names.events, delivery_mode=2, content_type=CONTENT_TYPE)
    target.channel.queue_declare(target.queue, passive=True)
    return time.perf_counter() - started_at


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    with temporary_database() as settings:
        url = settings.broker_url or DEFAULT_BROKER
        write_history(settings.owner_url, args.events)
        service = composition_root.build(settings)
        confirmed, bare = [], []
        with temporary_target(url) as target:
            broker = RabbitMq(url, prefix=target.names.prefix)
            end = service.queries.progress.settled_position()
            for _ in range(args.runs):
                confirmed.append(args.events / publish_with_confirms(service, broker, end))
                sample = target.sample()
                if target.empty() + SAMPLE_SIZE < args.events:
                    sys.exit("the queue lacks messages that the broker confirmed")
                bare.append(args.events / publish_bare(target, islice(cycle(sample), args.events)))
                target.empty()
        service.close()
    show(median(confirmed), median(bare))
    return int(median(confirmed) < BAR)


def show(confirmed: float, bare: float) -> None:
    """Print the medians and their ratio."""
    table = Table("events a second, median", "", f"ratio (bar {BAR:,} a second)")
    table.add_row("the publisher: read, put into envelopes, confirmed, position stored", f"{confirmed:,.0f}", "")
    table.add_row("kombu alone: published, nothing confirmed", f"{bare:,.0f}", f"{confirmed / bare:.2f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
