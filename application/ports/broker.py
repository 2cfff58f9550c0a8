"""Port: message broker to which events are published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

CONTENT_TYPE = "application/cloudevents+json"
"""Content type of each message's body."""


@dataclass(frozen=True)
class Message:
    """An event as it is published. `time` is the time of recording, in seconds since 1970."""

    message_id: str
    type: str
    time: int
    body: bytes


class BrokerUnavailable(Exception):
    """The broker did not accept all messages. `returned` is the number of messages that it could not route."""

    def __init__(self, reason: str, returned: int = 0) -> None:
        super().__init__(reason)
        self.returned = returned


class BrokerConnection(Protocol):
    """A connection to the broker."""

    def publish(self, messages: Sequence[Message], stop: threading.Event) -> bool:
        """Publish, and return whether all messages were confirmed before `stop` was set. Raises `BrokerUnavailable`."""

    def keep_alive(self) -> None:
        """Send and check heartbeats. Raises `BrokerUnavailable`."""


class Broker(Protocol):
    """Message broker."""

    def connect(self) -> AbstractContextManager[BrokerConnection]:
        """Return a context manager that connects, and disconnects at its end. Raises `BrokerUnavailable`."""
