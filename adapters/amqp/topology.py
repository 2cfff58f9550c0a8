"""Exchanges and queues on the broker, and their declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "subusers"
MAX_UNROUTED = 100_000
"""Unroutable messages kept for inspection. The event store has all events."""

STREAM_AGE = "7D"
STREAM_BYTES = 2_000_000_000
SEGMENT_BYTES = 100_000_000
"""The broker truncates the stream by whole segments, so its size can exceed the limit by one segment."""

ACCESS_REFUSED = 403


@dataclass(frozen=True)
class Names:
    """Names of the exchanges and queues."""

    prefix: str = PREFIX

    @property
    def events(self) -> str:
        """Topic exchange to which events are published, with their type as the routing key."""
        return f"{self.prefix}.events"

    @property
    def unrouted(self) -> str:
        """Fanout exchange and queue for messages that match no binding."""
        return f"{self.prefix}.unrouted"

    @property
    def stream(self) -> str:
        """Stream of all events, which consumers can reread by offset."""
        return f"{self.prefix}.events.stream"


def declare(connection: Any, names: Names) -> str | None:
    """Declare durable exchanges and queues. Return the reason if there is no stream, None if there is one.

    For a user without the right to configure the broker, an administrator must have declared everything in advance.
    Then this only checks that the exchange exists. Raises the errors of `connection`.
    """
    refusal = _attempt(connection, lambda channel: _declare_exchanges(channel, names))
    if refusal is not None:
        if getattr(refusal, "code", None) != ACCESS_REFUSED:
            raise refusal
        with connection.channel() as channel:
            channel.exchange_declare(names.events, "topic", passive=True)
        return None
    refusal = _attempt(connection, lambda channel: _declare_stream(channel, names))
    if refusal is not None and _attempt(connection, lambda channel: _bind_stream(channel, names)) is not None:
        return str(refusal)  # the broker does not support streams, or the user has no right to declare one
    return None


def _declare_exchanges(channel: Any, names: Names) -> None:
    channel.exchange_declare(names.unrouted, "fanout", durable=True, auto_delete=False)
    unrouted_arguments = {"x-max-length": MAX_UNROUTED, "x-overflow": "drop-head"}
    channel.queue_declare(names.unrouted, durable=True, auto_delete=False, arguments=unrouted_arguments)
    channel.queue_bind(names.unrouted, names.unrouted)
    events_arguments = {"alternate-exchange": names.unrouted}
    channel.exchange_declare(names.events, "topic", durable=True, auto_delete=False, arguments=events_arguments)


def _declare_stream(channel: Any, names: Names) -> None:
    arguments = {
        "x-queue-type": "stream",
        "x-max-age": STREAM_AGE,
        "x-max-length-bytes": STREAM_BYTES,
        "x-stream-max-segment-size-bytes": SEGMENT_BYTES,
    }
    channel.queue_declare(names.stream, durable=True, auto_delete=False, arguments=arguments)
    channel.queue_bind(names.stream, names.events, "#")


def _bind_stream(channel: Any, names: Names) -> None:
    """Bind a stream that was declared with other arguments."""
    channel.queue_declare(names.stream, passive=True)
    channel.queue_bind(names.stream, names.events, "#")


def _attempt(connection: Any, declaration: Callable[[Any], None]) -> Exception | None:
    """Run a declaration on its own channel, which a refusal closes. Return the refusal, if any."""
    channel = connection.channel()
    try:
        declaration(channel)
    except connection.channel_errors as error:
        refusal: Exception = error
        return refusal
    channel.close()
    return None
