"""RabbitMQ publisher: confirms, unroutable messages, lost connections, heartbeats and TLS.

A message counts as published only after the broker has confirmed it.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from adapters.amqp.rabbitmq import RabbitMq
from application.ports.broker import BrokerUnavailable, Message
from tests.mail_server import write_certificate
from tests.tcp_proxy import tcp_proxy
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rabbitmq import Exchange

TYPE = "subusers.sub_user.logged_in.v1"
pytestmark = pytest.mark.timeout(300)
"""A broker started for the tests may take a minute or two to come up."""

NEVER_STOP = threading.Event()
"""A stop event that is never set."""

HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"
"""Heartbeat frame of AMQP 0-9-1: frame type 8 with an empty payload."""

SHORT_CONFIRM_SECONDS = 0.3
"""Confirm timeout for tests that expect a timeout."""


def messages(count: int) -> list[Message]:
    return [
        Message(uuid4().hex, TYPE, 1_790_000_000, json.dumps({"number": number}).encode()) for number in range(count)
    ]


def publish(broker: RabbitMq, batch: list[Message]) -> bool:
    with broker.connect() as connection:
        return connection.publish(batch, NEVER_STOP)


def test_message_properties_and_routing(exchange: Exchange) -> None:
    """Messages are persistent and arrive in order, with type and id, only in queues bound for the type."""
    queue, other_queue = exchange.bind(TYPE), exchange.bind("subusers.main_account.*.v1")
    sent = messages(3)
    assert publish(exchange.broker(), sent)
    received = exchange.take(queue)
    assert [message.properties["message_id"] for message in received] == [message.message_id for message in sent]
    assert [message.body.encode() for message in received] == [message.body for message in sent]
    expected = {
        "content_type": "application/cloudevents+json",
        "delivery_mode": 2,
        "timestamp": 1_790_000_000,
        "type": TYPE,
        "app_id": "subusers",
    }
    assert expected.items() <= received[0].properties.items()
    assert received[0].delivery_info["routing_key"] == TYPE
    assert exchange.take(other_queue) == []
    assert exchange.take(exchange.names.unrouted) == []


def test_stream_is_readable_from_the_first_offset(exchange: Exchange) -> None:
    """Reading does not consume: a second reader gets the same messages."""
    sent = messages(20)
    assert publish(exchange.broker(), sent)
    for _ in range(2):
        received: list[Any] = []
        channel = exchange.channel.connection.channel()
        channel.basic_qos(0, 100, a_global=False)
        channel.basic_consume(
            exchange.names.stream,
            callback=received.append,
            arguments={"x-stream-offset": "first"},
            consumer_tag="reader",
        )
        while len(received) < len(sent):
            channel.connection.drain_events(timeout=30)
        channel.close()
        assert [message.properties["message_id"] for message in received] == [message.message_id for message in sent]


def test_one_connection_publishes_several_batches(exchange: Exchange) -> None:
    queue = exchange.bind()
    with exchange.broker().connect() as connection:
        for _ in range(4):
            assert connection.publish(messages(500), NEVER_STOP)
    assert exchange.channel.queue_declare(queue, passive=True).message_count == 2000


def test_unroutable_message_goes_to_the_unrouted_queue(exchange: Exchange) -> None:
    sent = messages(3)
    with exchange.broker().connect() as connection:
        exchange.delete_queue(exchange.names.stream)
        assert connection.publish(sent, NEVER_STOP)
    assert [message.properties["message_id"] for message in exchange.take(exchange.names.unrouted)] == [
        message.message_id for message in sent
    ]


def test_returned_message_does_not_count_as_published(exchange: Exchange) -> None:
    """The broker returns and confirms the message. Reconnecting declares the queues again."""
    sent = messages(3)
    with pytest.raises(BrokerUnavailable, match="no queue") as caught, exchange.broker().connect() as connection:  # noqa: PT012  # within one connection
        exchange.delete_queue(exchange.names.stream)
        exchange.delete_queue(exchange.names.unrouted)
        connection.publish(sent, NEVER_STOP)
    assert caught.value.returned >= 1
    assert publish(exchange.broker(), sent)


def test_rejected_message_does_not_count_as_published(exchange: Exchange) -> None:
    """A full queue rejects messages: publishing fails without endless retries."""
    queue = exchange.bind(arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    sent = messages(50)
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="refused"):
        publish(exchange.broker(), sent)
    assert time.monotonic() - started < 5
    exchange.take(queue)
    assert publish(exchange.broker(), sent[:1])


def test_late_confirm_is_ignored(exchange: Exchange) -> None:
    """A timeout closes the connection, so a late confirm cannot be attributed to another message."""
    with tcp_proxy(exchange.url) as proxy:
        broker = exchange.broker(proxy.url, confirm_seconds=SHORT_CONFIRM_SECONDS)
        with pytest.raises(BrokerUnavailable, match="no confirm"), broker.connect() as connection:  # noqa: PT012  # within one connection
            proxy.hold()
            connection.publish(messages(1), NEVER_STOP)
        proxy.release()
        with pytest.raises(BrokerUnavailable, match="no confirm"), broker.connect() as connection:  # noqa: PT012  # within one connection
            proxy.hold()
            connection.publish(messages(1), NEVER_STOP)
        assert proxy.connections == 2
        proxy.release()
        assert publish(exchange.broker(proxy.url), messages(1))


@pytest.mark.parametrize("published_before", [0, 1])
@pytest.mark.parametrize("size", [1, 50_000], ids=["at its beginning", "in its middle"])
def test_batch_on_a_lost_connection_does_not_count_as_published(
    exchange: Exchange, published_before: int, size: int
) -> None:
    """The connection is cut within a batch of about 100 kB, its first or second one. Reconnecting works."""
    with tcp_proxy(exchange.url) as proxy:
        broker = exchange.broker(proxy.url)
        with pytest.raises(BrokerUnavailable), broker.connect() as connection:  # noqa: PT012  # within one connection
            assert connection.publish(messages(published_before), NEVER_STOP)
            proxy.cut_after(size)
            connection.publish(messages(500), NEVER_STOP)
        assert publish(broker, messages(1))


def test_silent_broker_is_detected_by_missing_heartbeats(exchange: Exchange) -> None:
    """The publisher has nothing to send."""
    with tcp_proxy(exchange.url) as proxy:
        broker = exchange.broker(proxy.url, heartbeat_seconds=1)
        with pytest.raises(BrokerUnavailable, match="heartbeats"), broker.connect() as connection:  # noqa: PT012  # in a loop
            proxy.hold()
            while True:
                connection.keep_alive()
                time.sleep(0.1)


def test_heartbeats_keep_an_idle_connection_open(exchange: Exchange) -> None:
    """An idle publisher sends one every half interval; the broker disconnects after two intervals without any."""
    with tcp_proxy(exchange.url) as proxy, exchange.broker(proxy.url, heartbeat_seconds=2).connect() as connection:

        def has_sent_heartbeats(count: int) -> bool:
            connection.keep_alive()
            return proxy.client_data.endswith(HEARTBEAT * count)

        eventually(lambda: has_sent_heartbeats(2), pause=0.1)
        assert connection.publish(messages(1), NEVER_STOP)


def test_connecting_to_a_silent_broker_times_out(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server accepts the connection and sends nothing."""
    monkeypatch.setattr("adapters.amqp.rabbitmq.SOCKET_TIMEOUT_SECONDS", 1)
    with tcp_proxy(exchange.url) as proxy:
        proxy.hold()
        with pytest.raises(BrokerUnavailable, match="timed out"):
            publish(exchange.broker(proxy.url), messages(1))
        assert proxy.connections == 1


def test_stopping_does_not_wait_for_confirms(exchange: Exchange) -> None:
    """Unconfirmed messages do not count as published."""
    stop = threading.Event()
    with tcp_proxy(exchange.url) as proxy, exchange.broker(proxy.url).connect() as connection:
        proxy.hold()
        threading.Timer(0.1, stop.set).start()
        assert not connection.publish(messages(1), stop)


def test_unreachable_broker_fails_at_once() -> None:
    """There is one attempt, without retries."""
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1: .*refused"):
        publish(RabbitMq("amqp://me:s3cr3t@127.0.0.1:1"), messages(1))
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("user", "vhost", "error"), [("guest:s3cr3t", "", "ACCESS_REFUSED"), ("guest:guest", "no", "no")]
)
def test_broker_that_refuses_access_is_reported_without_the_password(
    broker_url: str, user: str, vhost: str, error: str
) -> None:
    address = broker_url.rpartition("@")[2].partition("/")[0]
    with pytest.raises(BrokerUnavailable, match=error) as caught:
        publish(RabbitMq(f"amqp://{user}@{address}/{vhost}"), messages(1))
    assert "s3cr3t" not in str(caught.value)


def test_tls_requires_a_trusted_certificate(exchange: Exchange, tmp_path: Path) -> None:
    """The certificate must come from the authority in the URL and match its host; others are refused."""
    certificate = write_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with tcp_proxy(exchange.url, tls) as proxy:
        ca_option = f"ca={quote(str(certificate))}"
        broker = exchange.broker(f"amqps://guest:guest@localhost:{proxy.port}?{ca_option}")
        assert publish(broker, messages(500))
        for untrusted in (f"localhost:{proxy.port}", f"127.0.0.1:{proxy.port}?{ca_option}"):
            with pytest.raises(BrokerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                publish(exchange.broker(f"amqps://guest:guest@{untrusted}"), messages(1))
