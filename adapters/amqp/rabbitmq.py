"""Publisher for RabbitMQ with publisher confirms.

py-amqp's own waiting for confirms takes a late confirm for that of the next message. This module matches each confirm
with its message by delivery tag, keeps many messages in flight, and closes the connection after any error. It does not
use kombu's retries either: kombu treats a refused message as a lost connection, and retries it forever.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import structlog
from kombu import Connection

from adapters.amqp.broker_url import parse_broker_url
from adapters.amqp.topology import PREFIX, Names, declare
from application.display_text import quantity
from application.ports.broker import CONTENT_TYPE, BrokerUnavailable

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from application.ports.broker import Message

HEARTBEAT_SECONDS = 10
"""A peer that misses two heartbeats is considered dead."""

MAX_CONFIRM_WAIT_SECONDS = 30.0
"""Maximum time without any confirm before the connection is given up."""

SOCKET_TIMEOUT_SECONDS = 10
"""Timeout for connecting, and for each read or write."""

MAX_READ_WAIT_SECONDS = 0.25
"""Maximum wait for confirms before `stop` and the heartbeat are checked."""

MESSAGES_BETWEEN_READS = 20

MAX_REASON_LENGTH = 300
PERSISTENT = 2
"""Delivery mode of AMQP: the broker writes the message to disk."""

log = structlog.get_logger(__name__)


class RabbitMq:
    """RabbitMQ broker at a URL (see `parse_broker_url`). The names of its exchanges and queues start with `prefix`.

    Raises `ValueError` for an invalid URL, with a single line that contains no secret.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = PREFIX,
        confirm_seconds: float = MAX_CONFIRM_WAIT_SECONDS,
        heartbeat_seconds: int = HEARTBEAT_SECONDS,
    ) -> None:
        self._server = parse_broker_url(url)
        self._names = Names(prefix)
        self._confirm_seconds = confirm_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._missing_stream_reason: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address})"

    @property
    def _address(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    @contextmanager
    def connect(self) -> Iterator[ConfirmedConnection]:
        """Connect, declare exchanges and queues, and disconnect afterwards. Raises `BrokerUnavailable`."""
        with _errors_translated(self._address):
            connection = self._connect()
        broker_connection = ConfirmedConnection(connection, self._address, self._names.events, self._confirm_seconds)
        all_confirmed = False
        try:
            with _errors_translated(self._address):
                self._record_missing_stream(declare(connection, self._names))
                broker_connection.open()
            yield broker_connection
            all_confirmed = broker_connection.all_confirmed
        finally:
            broker_connection.disconnect(with_handshake=all_confirmed)

    def _connect(self) -> Any:
        """Return a plain py-amqp connection: kombu's own connections reconnect by themselves."""
        server = self._server
        client = Connection(
            hostname=f"[{server.host}]" if ":" in server.host else server.host,
            port=server.port,
            userid=server.user,
            password=server.password,
            virtual_host=server.vhost,
            transport="pyamqp",
            ssl=server.tls,
            login_method="PLAIN",
            connect_timeout=SOCKET_TIMEOUT_SECONDS,
            heartbeat=self._heartbeat_seconds,
            transport_options={"read_timeout": SOCKET_TIMEOUT_SECONDS, "write_timeout": SOCKET_TIMEOUT_SECONDS},
        )
        return client.transport.establish_connection()

    def _record_missing_stream(self, reason: str | None) -> None:
        if reason != self._missing_stream_reason:
            log.warning("publisher.no_stream", reason=reason)
        self._missing_stream_reason = reason


class ConfirmedConnection:
    """Connection with one channel in confirm mode. After an error it must not be used again."""

    def __init__(self, connection: Any, address: str, exchange: str, confirm_seconds: float) -> None:
        self._connection = connection
        self._address = address
        self._exchange = exchange
        self._confirm_seconds = confirm_seconds
        self._channel: Any = None
        self._confirms = Confirms()
        self._is_blocked = False
        self._give_up_at = 0.0

    def open(self) -> None:
        """Open the channel in confirm mode, and register for blocked-connection notifications."""
        self._connection.on_blocked = lambda _reason: self._set_blocked(is_blocked=True)
        self._connection.on_unblocked = lambda: self._set_blocked(is_blocked=False)
        # The broker has received this capability already. With it py-amqp would poll the socket before every message.
        self._connection.client_properties.get("capabilities", {})["connection.blocked"] = False
        self._channel = self._connection.channel()
        self._channel.events["basic_ack"].add(self._confirms.record_ack)
        self._channel.events["basic_nack"].add(self._confirms.record_nack)
        self._channel.events["basic_return"].add(self._confirms.record_return)
        self._channel.confirm_select()

    def publish(self, messages: Sequence[Message], stop: threading.Event) -> bool:
        """Publish messages. Return True once all are confirmed, False if `stop` is set before.

        Raises `BrokerUnavailable`.
        """
        with _errors_translated(self._address):
            self._give_up_at = time.monotonic() + self._confirm_seconds
            for number, message in enumerate(messages):
                if number % MESSAGES_BETWEEN_READS == 0:
                    self._read(0)
                while self._is_blocked:
                    if stop.is_set():
                        return False
                    self._wait_for_confirms()
                self._send(message)
            while self._confirms.unconfirmed_count:
                if stop.is_set():
                    return False
                self._wait_for_confirms()
            self._confirms.raise_on_failure()
            return True

    def keep_alive(self) -> None:
        """Send and check heartbeats. Raises `BrokerUnavailable`."""
        with _errors_translated(self._address):
            self._read(0)
            self._connection.heartbeat_tick()

    @property
    def all_confirmed(self) -> bool:
        """Whether all messages have been confirmed, and none refused or returned."""
        return self._confirms.all_confirmed

    def disconnect(self, *, with_handshake: bool) -> None:
        """Disconnect, with or without AMQP's closing handshake, which a frozen broker would delay."""
        if with_handshake:
            with suppress(Exception):
                self._connection.close()
        with suppress(Exception):
            self._connection.collect()

    def _send(self, message: Message) -> None:
        prepared = self._channel.prepare_message(
            message.body,
            content_type=CONTENT_TYPE,
            content_encoding="utf-8",
            properties={
                "delivery_mode": PERSISTENT,
                "message_id": message.message_id,
                "timestamp": message.time,
                "type": message.type,
                "app_id": "subusers",
            },
        )
        self._confirms.record_sent()
        self._channel.basic_publish(prepared, self._exchange, message.type, mandatory=True)

    def _wait_for_confirms(self) -> None:
        """Read confirms. Raises `BrokerUnavailable` for refused or returned messages, and after `confirm_seconds`."""
        unconfirmed_before = self._confirms.unconfirmed_count
        self._read(MAX_READ_WAIT_SECONDS)
        self._connection.heartbeat_tick()
        self._confirms.raise_on_failure()
        now = time.monotonic()
        if self._confirms.unconfirmed_count < unconfirmed_before:
            self._give_up_at = now + self._confirm_seconds
        elif now >= self._give_up_at:
            reason = "the broker blocks publishers (resource alarm)" if self._is_blocked else "no confirm"
            raise BrokerUnavailable(f"{self._address}: {reason} for {self._confirm_seconds:g} seconds")

    def _read(self, seconds: float) -> None:
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=seconds)

    def _set_blocked(self, *, is_blocked: bool) -> None:
        self._is_blocked = is_blocked


class Confirms:
    """Unconfirmed messages of a channel, by delivery tag. Tags count the messages from 1."""

    def __init__(self) -> None:
        self._last_tag = 0
        self._unconfirmed: dict[int, None] = {}
        self._refused = 0
        self._returned = 0

    @property
    def unconfirmed_count(self) -> int:
        """Number of unconfirmed messages."""
        return len(self._unconfirmed)

    @property
    def all_confirmed(self) -> bool:
        """Whether all messages have been confirmed, and none refused or returned."""
        return not (self._unconfirmed or self._refused or self._returned)

    def record_sent(self) -> None:
        """Record that a message was sent."""
        self._last_tag += 1
        self._unconfirmed[self._last_tag] = None

    def record_ack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001  # signature of py-amqp's callbacks
        """Record that the broker confirmed one message, or all messages up to it."""
        self._remove_unconfirmed(tag, multiple=multiple)

    def record_nack(self, tag: int, multiple: bool) -> None:  # noqa: FBT001  # signature of py-amqp's callbacks
        """Record that the broker refused one message, or all messages up to it."""
        self._refused += self._remove_unconfirmed(tag, multiple=multiple)

    def record_return(self, *_: Any) -> None:
        """Record that the broker returned a message that no queue took. It confirms such a message, too."""
        self._returned += 1

    def raise_on_failure(self) -> None:
        """Raise `BrokerUnavailable` if a message was refused or returned."""
        if self._returned:
            raise BrokerUnavailable(
                f"{quantity(self._returned, 'event')} had no queue to go to, not even unrouted", self._returned
            )
        if self._refused:
            refused = quantity(self._refused, "event was", "events were")
            raise BrokerUnavailable(f"{refused} refused: check for a queue that rejects messages or is down")

    def _remove_unconfirmed(self, tag: int, *, multiple: bool) -> int:
        """Remove the message with this tag, or all messages up to it, and return their number."""
        if not multiple:
            self._unconfirmed.pop(tag, None)
            return 1
        # `_unconfirmed` is in ascending order.
        tags = list(takewhile(lambda unconfirmed_tag: unconfirmed_tag <= tag, self._unconfirmed))
        for unconfirmed_tag in tags:
            del self._unconfirmed[unconfirmed_tag]
        return len(tags)


@contextmanager
def _errors_translated(address: str) -> Iterator[None]:
    """Translate all exceptions to `BrokerUnavailable`. py-amqp also raises built-in exceptions, such as KeyError."""
    try:
        yield
    except BrokerUnavailable:
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise BrokerUnavailable(f"{address}: {text}"[:MAX_REASON_LENGTH]) from error
