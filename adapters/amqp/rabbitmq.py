"""Hands events to RabbitMQ, and knows which of them it has taken.

py-amqp's own waiting for confirms takes a late one for that of the next message. Here each is matched with its message
by delivery tag, many are under way at once, and after anything out of order the connection is given up, its channel
with it. kombu's retrying is not used either: a refused message counts as a lost connection there, and is tried again
for ever.
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
from projections.published_events import CONTENT_TYPE
from projections.publisher import BrokerUnavailable

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from projections.publisher import Message

HEARTBEAT_SECONDS = 10
"""Two of them missed, and the other side is taken for dead."""

CONFIRM_SECONDS = 30.0
"""Without a single confirm for so long, none is expected any more."""

SOCKET_SECONDS = 10
"""For connecting, and for any one read or write that has to come to an end."""

LOOK_SECONDS = 0.25
LOOK_EVERY = 20
"""Messages between two looks at whether the broker has anything to say."""

LONGEST_REASON = 300
PERSISTENT = 2

log = structlog.get_logger(__name__)


class RabbitMq:
    """A broker at a URL, explained at `parse_broker_url`. `prefix` begins the names of all that is declared there.

    Raises `ValueError`, one line without any secret in it, when the URL is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = PREFIX,
        confirm_seconds: float = CONFIRM_SECONDS,
        heartbeat_seconds: int = HEARTBEAT_SECONDS,
    ) -> None:
        self._server = parse_broker_url(url)
        self._names = Names(prefix)
        self._confirm_seconds = confirm_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._without_stream: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address})"

    @property
    def _address(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    @contextmanager
    def connected(self) -> Iterator[ConfirmedLine]:
        """Connect, see to it that everything is declared, and hang up afterwards. Raises `BrokerUnavailable`."""
        with _telling(self._address):
            connection = self._dial()
        line = ConfirmedLine(connection, self._address, self._names.events, self._confirm_seconds)
        all_is_well = False
        try:
            with _telling(self._address):
                self._note_stream(declare(connection, self._names))
                line.open()
            yield line
            all_is_well = line.is_clear
        finally:
            line.hang_up(politely=all_is_well)

    def _dial(self) -> Any:
        """Return a connection of py-amqp's, made once: what kombu itself hands out connects again by itself."""
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
            connect_timeout=SOCKET_SECONDS,
            heartbeat=self._heartbeat_seconds,
            transport_options={"read_timeout": SOCKET_SECONDS, "write_timeout": SOCKET_SECONDS},
        )
        return client.transport.establish_connection()

    def _note_stream(self, missing: str | None) -> None:
        if missing != self._without_stream:
            log.warning("publisher.no_stream", reason=missing)
        self._without_stream = missing


class ConfirmedLine:
    """A connection, and the one channel on it. What is raised ends it: a new one begins with nothing under way."""

    def __init__(self, connection: Any, address: str, exchange: str, confirm_seconds: float) -> None:
        self._connection = connection
        self._address = address
        self._exchange = exchange
        self._confirm_seconds = confirm_seconds
        self._channel: Any = None
        self._confirms = Confirms()
        self._blocked = False
        self._give_up_at = 0.0

    def open(self) -> None:
        """Have the broker confirm what it takes, and tell when it takes nothing."""
        self._connection.on_blocked = lambda _reason: self._note_blocked(blocked=True)
        self._connection.on_unblocked = lambda: self._note_blocked(blocked=False)
        # The broker knows by now that we want to be told. py-amqp would look for it before every single message.
        self._connection.client_properties.get("capabilities", {})["connection.blocked"] = False
        self._channel = self._connection.channel()
        self._channel.events["basic_ack"].add(self._confirms.taken)
        self._channel.events["basic_nack"].add(self._confirms.refused)
        self._channel.events["basic_return"].add(self._confirms.returned)
        self._channel.confirm_select()

    def publish(self, messages: Sequence[Message], stop: threading.Event) -> bool:
        """Return True once every message is confirmed, False if told to stop before. Raises `BrokerUnavailable`."""
        with _telling(self._address):
            self._give_up_at = time.monotonic() + self._confirm_seconds
            for number, message in enumerate(messages):
                if number % LOOK_EVERY == 0:
                    self._read(0)
                while self._blocked:
                    if stop.is_set():
                        return False
                    self._look()
                self._send(message)
            while self._confirms.awaited:
                if stop.is_set():
                    return False
                self._look()
            self._confirms.require_good()
            return True

    def keep_alive(self) -> None:
        """Show the broker that somebody is there, and see whether it is. Raises `BrokerUnavailable`."""
        with _telling(self._address):
            self._read(0)
            self._connection.heartbeat_tick()

    @property
    def is_clear(self) -> bool:
        """Whether everything that was sent was taken, and had somewhere to go."""
        return self._confirms.is_clear

    def hang_up(self, *, politely: bool) -> None:
        """End the connection; without taking leave, the broker has no chance to hold that up."""
        if politely:
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
        self._confirms.sent()
        self._channel.basic_publish(prepared, self._exchange, message.type, mandatory=True)

    def _look(self) -> None:
        """Take in what the broker has to say. Raises what ends this line."""
        before = self._confirms.awaited
        self._read(LOOK_SECONDS)
        self._connection.heartbeat_tick()
        self._confirms.require_good()
        now = time.monotonic()
        if self._confirms.awaited < before:
            self._give_up_at = now + self._confirm_seconds
        elif now >= self._give_up_at:
            why = "it takes nothing, for an alarm of its own" if self._blocked else "no confirm"
            raise BrokerUnavailable(f"{self._address}: {why}, for {self._confirm_seconds:g} seconds")

    def _read(self, seconds: float) -> None:
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=seconds)

    def _note_blocked(self, *, blocked: bool) -> None:
        self._blocked = blocked


class Confirms:
    """Which messages of a channel the broker has yet to confirm. Its delivery tags count them from 1."""

    def __init__(self) -> None:
        self._last = 0
        self._awaited: dict[int, None] = {}
        self._refused = 0
        self._returned = 0

    @property
    def awaited(self) -> int:
        """How many are to be confirmed yet."""
        return len(self._awaited)

    @property
    def is_clear(self) -> bool:
        """Whether everything was taken, and everything had somewhere to go."""
        return not (self._awaited or self._refused or self._returned)

    def sent(self) -> None:
        """Note that one is on its way."""
        self._last += 1
        self._awaited[self._last] = None

    def taken(self, tag: int, multiple: bool) -> None:  # noqa: FBT001  # as py-amqp calls it
        """Note a confirm, of one message or of all up to it."""
        self._settle(tag, multiple=multiple)

    def refused(self, tag: int, multiple: bool) -> None:  # noqa: FBT001  # as py-amqp calls it
        """Note a refusal, likewise."""
        self._refused += self._settle(tag, multiple=multiple)

    def returned(self, *_: Any) -> None:
        """Note that there was no queue for one; the broker confirms it all the same."""
        self._returned += 1

    def require_good(self) -> None:
        """Raise `BrokerUnavailable` if any was refused or returned."""
        if self._returned:
            raise BrokerUnavailable(f"{self._returned} events had no queue to go to, not even unrouted", self._returned)
        if self._refused:
            raise BrokerUnavailable(f"{self._refused} events were refused: a queue that rejects, or that is down?")

    def _settle(self, tag: int, *, multiple: bool) -> int:
        """Return how many are not awaited any more."""
        if not multiple:
            self._awaited.pop(tag, None)
            return 1
        settled = list(takewhile(lambda one: one <= tag, self._awaited))  # they are in the order of their tags
        for one in settled:
            del self._awaited[one]
        return len(settled)


@contextmanager
def _telling(address: str) -> Iterator[None]:
    """Turn whatever goes wrong into `BrokerUnavailable`: besides its errors, py-amqp raises what it stumbles over."""
    try:
        yield
    except BrokerUnavailable:
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise BrokerUnavailable(f"{address}: {text}"[:LONGEST_REASON]) from error
