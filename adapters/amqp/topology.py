"""What is declared on the broker: where events go, and where they go when nobody wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "subusers"
MOST_UNROUTED = 100_000
"""Messages that nobody was there for, kept for a look; the store has them all."""

STREAM_AGE = "7D"
STREAM_BYTES = 2_000_000_000
SEGMENT_BYTES = 100_000_000
"""The stream is cut by whole segments: what it holds is within one of what was asked for."""

ACCESS_REFUSED = 403


@dataclass(frozen=True)
class Names:
    """How the exchanges and queues are called."""

    prefix: str = PREFIX

    @property
    def events(self) -> str:
        """The topic exchange that events are published to, by their type."""
        return f"{self.prefix}.events"

    @property
    def unrouted(self) -> str:
        """The fanout exchange, and the queue, of what no queue is bound for."""
        return f"{self.prefix}.unrouted"

    @property
    def stream(self) -> str:
        """The stream of everything, to be read again by offset."""
        return f"{self.prefix}.events.stream"


def declare(connection: Any, names: Names) -> str | None:
    """Declare exchanges and queues, all durable; return why there is no stream, None if there is one.

    A user who may not configure the broker finds everything declared by somebody who may: then the exchange is only
    looked for. Raises what `connection` raises.
    """
    refused = _tried(connection, lambda channel: _declare_exchanges(channel, names))
    if refused is not None:
        if getattr(refused, "code", None) != ACCESS_REFUSED:
            raise refused
        with connection.channel() as channel:
            channel.exchange_declare(names.events, "topic", passive=True)
        return None
    refused = _tried(connection, lambda channel: _declare_stream(channel, names))
    if refused is not None and _tried(connection, lambda channel: _bind_stream(channel, names)) is not None:
        return str(refused)  # no broker that has streams, or none that lets us have one
    return None


def _declare_exchanges(channel: Any, names: Names) -> None:
    channel.exchange_declare(names.unrouted, "fanout", durable=True, auto_delete=False)
    bounded = {"x-max-length": MOST_UNROUTED, "x-overflow": "drop-head"}
    channel.queue_declare(names.unrouted, durable=True, auto_delete=False, arguments=bounded)
    channel.queue_bind(names.unrouted, names.unrouted)
    otherwise = {"alternate-exchange": names.unrouted}
    channel.exchange_declare(names.events, "topic", durable=True, auto_delete=False, arguments=otherwise)


def _declare_stream(channel: Any, names: Names) -> None:
    kept = {
        "x-queue-type": "stream",
        "x-max-age": STREAM_AGE,
        "x-max-length-bytes": STREAM_BYTES,
        "x-stream-max-segment-size-bytes": SEGMENT_BYTES,
    }
    channel.queue_declare(names.stream, durable=True, auto_delete=False, arguments=kept)
    channel.queue_bind(names.stream, names.events, "#")


def _bind_stream(channel: Any, names: Names) -> None:
    """Have a stream that somebody declared in another way get everything."""
    channel.queue_declare(names.stream, passive=True)
    channel.queue_bind(names.stream, names.events, "#")


def _tried(connection: Any, declaration: Callable[[Any], None]) -> Exception | None:
    """Declare something on a channel of its own, for a refusal ends the channel; return the refusal."""
    channel = connection.channel()
    try:
        declaration(channel)
    except connection.channel_errors as error:
        refusal: Exception = error
        return refusal
    channel.close()
    return None
