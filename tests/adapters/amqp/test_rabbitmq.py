"""What the broker has not confirmed is never taken for published, whatever happens on the way."""

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
from projections.publisher import BrokerUnavailable, Message
from tests.mail_server import write_certificate
from tests.waiting import eventually
from tests.wire import wire_to

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rabbitmq import Exchange

TYPE = "subusers.sub_user.logged_in.v1"
pytestmark = pytest.mark.timeout(300)
"""A broker of one's own may take a minute, or two, to start."""

GO_ON = threading.Event()
"""Never set: nobody tells these publishers to stop."""

HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"
"""As AMQP 0-9-1 has it: a frame of type 8, without anything in it."""

SOON = 0.3
"""Seconds without a confirm after which these publishers give up."""


def messages(count: int) -> list[Message]:
    return [
        Message(uuid4().hex, TYPE, 1_790_000_000, json.dumps({"number": number}).encode()) for number in range(count)
    ]


def publish(broker: RabbitMq, what: list[Message]) -> bool:
    with broker.connected() as line:
        return line.publish(what, GO_ON)


def test_a_message_on_the_wire(exchange: Exchange) -> None:
    """Persistent, of its type, known by its id, in order: to queues that are bound for it and to the stream."""
    queue, other = exchange.bind(TYPE), exchange.bind("subusers.main_account.*.v1")
    sent = messages(3)
    assert publish(exchange.broker(), sent)
    taken = exchange.take(queue)
    assert [one.properties["message_id"] for one in taken] == [one.message_id for one in sent]
    assert [one.body.encode() for one in taken] == [one.body for one in sent]
    expected = {
        "content_type": "application/cloudevents+json",
        "delivery_mode": 2,
        "timestamp": 1_790_000_000,
        "type": TYPE,
        "app_id": "subusers",
    }
    assert expected.items() <= taken[0].properties.items()
    assert taken[0].delivery_info["routing_key"] == TYPE
    assert exchange.take(other) == []
    assert exchange.take(exchange.names.unrouted) == []


def test_the_stream_can_be_read_from_its_beginning(exchange: Exchange) -> None:
    """By offset, as often as anybody likes."""
    sent = messages(20)
    assert publish(exchange.broker(), sent)
    for _ in range(2):
        found: list[Any] = []
        channel = exchange.channel.connection.channel()
        channel.basic_qos(0, 100, a_global=False)
        channel.basic_consume(
            exchange.names.stream, callback=found.append, arguments={"x-stream-offset": "first"}, consumer_tag="reader"
        )
        while len(found) < len(sent):
            channel.connection.drain_events(timeout=30)
        channel.close()
        assert [one.properties["message_id"] for one in found] == [one.message_id for one in sent]


def test_many_are_under_way_at_once(exchange: Exchange) -> None:
    """A batch takes the time of a few confirms, not of one for each message, and the next goes over the same line."""
    queue = exchange.bind()
    with exchange.broker().connected() as line:
        for _ in range(4):
            assert line.publish(messages(500), GO_ON)
    assert exchange.channel.queue_declare(queue, passive=True).message_count == 2000


def test_what_nobody_wants_is_kept(exchange: Exchange) -> None:
    """An unroutable message is neither lost nor in the way: it lands where somebody may look for it."""
    sent = messages(3)
    with exchange.broker().connected() as line:
        exchange.delete_queue(exchange.names.stream)
        assert line.publish(sent, GO_ON)
    assert [one.properties["message_id"] for one in exchange.take(exchange.names.unrouted)] == [
        one.message_id for one in sent
    ]


def test_what_has_nowhere_to_go_at_all_is_not_confirmed(exchange: Exchange) -> None:
    """The broker acknowledges it all the same; connecting anew declares the place again, and it gets there."""
    sent = messages(3)
    with pytest.raises(BrokerUnavailable, match="no queue") as caught, exchange.broker().connected() as line:  # noqa: PT012  # within one line
        exchange.delete_queue(exchange.names.stream)
        exchange.delete_queue(exchange.names.unrouted)
        line.publish(sent, GO_ON)
    assert caught.value.returned >= 1
    assert publish(exchange.broker(), sent)


def test_what_is_refused_is_not_confirmed(exchange: Exchange) -> None:
    """A queue that is full refuses; nothing tries again for ever, and nothing is taken for published."""
    queue = exchange.bind(arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    sent = messages(50)
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="refused"):
        publish(exchange.broker(), sent)
    assert time.monotonic() - began < 5
    exchange.take(queue)
    assert publish(exchange.broker(), sent[:1])


def test_a_late_confirm_counts_for_nothing(exchange: Exchange) -> None:
    """After a timeout the connection is given up: what it would have heard is not taken for another message's."""
    with wire_to(exchange.url) as wire:
        broker = exchange.broker(wire.url, confirm_seconds=SOON)
        with pytest.raises(BrokerUnavailable, match="no confirm"), broker.connected() as line:  # noqa: PT012  # within one line
            wire.hold()
            line.publish(messages(1), GO_ON)
        wire.release()
        with pytest.raises(BrokerUnavailable, match="no confirm"), broker.connected() as line:  # noqa: PT012  # within one line
            wire.hold()
            line.publish(messages(1), GO_ON)
        assert wire.connections == 2
        wire.release()
        assert publish(exchange.broker(wire.url), messages(1))


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("size", [1, 50_000], ids=["at its beginning", "in its middle"])
def test_a_lost_connection_confirms_nothing(exchange: Exchange, before: int, size: int) -> None:
    """Cut amid a batch of some 100 kB, the first on its line or not; the next connection is as good as any."""
    with wire_to(exchange.url) as wire:
        broker = exchange.broker(wire.url)
        with pytest.raises(BrokerUnavailable), broker.connected() as line:  # noqa: PT012  # within one line
            assert line.publish(messages(before), GO_ON)
            wire.cut_after(size)
            line.publish(messages(500), GO_ON)
        assert publish(broker, messages(1))


def test_a_silent_broker_is_found_out(exchange: Exchange) -> None:
    """With nothing to publish, by the heartbeats that do not come."""
    with wire_to(exchange.url) as wire:
        broker = exchange.broker(wire.url, heartbeat_seconds=1)
        with pytest.raises(BrokerUnavailable, match="heartbeats"), broker.connected() as line:  # noqa: PT012  # in a loop
            wire.hold()
            while True:
                line.keep_alive()
                threading.Event().wait(0.1)


def test_heartbeats_keep_an_idle_line(exchange: Exchange) -> None:
    """Each half a beat has one, with nothing to publish; the broker gives up who says nothing for two beats."""
    with wire_to(exchange.url) as wire, exchange.broker(wire.url, heartbeat_seconds=2).connected() as line:

        def beats(count: int) -> bool:
            line.keep_alive()
            return wire.said.endswith(HEARTBEAT * count)

        eventually(lambda: beats(2), pause=0.1)
        assert line.publish(messages(1), GO_ON)


def test_connecting_to_a_silent_broker_ends(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts connections, and says nothing."""
    monkeypatch.setattr("adapters.amqp.rabbitmq.SOCKET_SECONDS", 1)
    with wire_to(exchange.url) as wire:
        wire.hold()
        with pytest.raises(BrokerUnavailable, match="timed out"):
            publish(exchange.broker(wire.url), messages(1))
        assert wire.connections == 1


def test_stopping_does_not_wait_for_confirms(exchange: Exchange) -> None:
    """And does not take them for given."""
    stop = threading.Event()
    with wire_to(exchange.url) as wire, exchange.broker(wire.url).connected() as line:
        wire.hold()
        threading.Timer(0.1, stop.set).start()
        assert not line.publish(messages(1), stop)


def test_a_broker_that_is_not_there_is_told_at_once() -> None:
    """One attempt, no retries."""
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1: .*refused"):
        publish(RabbitMq("amqp://me:s3cr3t@127.0.0.1:1"), messages(1))
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("user", "vhost", "told"), [("guest:s3cr3t", "", "ACCESS_REFUSED"), ("guest:guest", "no", "no")]
)
def test_a_broker_that_lets_nobody_in(broker_url: str, user: str, vhost: str, told: str) -> None:
    """What it says is told, without the password."""
    address = broker_url.rpartition("@")[2].partition("/")[0]
    with pytest.raises(BrokerUnavailable, match=told) as caught:
        publish(RabbitMq(f"amqp://{user}@{address}/{vhost}"), messages(1))
    assert "s3cr3t" not in str(caught.value)


def test_encryption_with_a_certificate_that_is_trusted(exchange: Exchange, tmp_path: Path) -> None:
    """By the authority that the URL names, for the name that it names; any other is refused."""
    certificate = write_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with wire_to(exchange.url, tls) as wire:
        trusted = f"ca={quote(str(certificate))}"
        broker = exchange.broker(f"amqps://guest:guest@localhost:{wire.port}?{trusted}")
        assert publish(broker, messages(500))
        for wrong in (f"localhost:{wire.port}", f"127.0.0.1:{wire.port}?{trusted}"):
            with pytest.raises(BrokerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                publish(exchange.broker(f"amqps://guest:guest@{wrong}"), messages(1))
