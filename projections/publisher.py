"""Follows the history to a message broker: every event at least once, in order, whatever becomes of the broker.

The position moves only when the broker has confirmed all that stands before it. Whatever else happens, the connection
is given up, and the same events go out again over a new one: a consumer sees an event's first copy in its right place,
and knows later ones by their id.

It is no `Follower`: it waits for somebody else's machine, and no transaction is held open that long.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from psycopg.rows import tuple_row

from application.checkpoints import MalformedCheckpoint
from application.signed_notes import MalformedNote
from projections import published_checkpoints
from projections.event_log import events_after
from projections.follower import EventNotApplied
from projections.leadership import lead, show_failure
from projections.statements import statements

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from psycopg import Connection

    from projections.event_log import Positioned
    from projections.published_events import Envelopes

SQL = statements("projections", "publisher")

NAME = "publisher"
BATCH = 500
"""Events under way at once, and the most that go out again after a failure."""

POLL_SECONDS = 0.25
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 10.0
"""After an event that cannot be put into an envelope; the broker does not give the connection up meanwhile."""

REMIND_SECONDS = 60.0
"""How often the log repeats that the broker takes no events."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Message:
    """An event as it goes out. `time` is when it was recorded, in seconds since 1970."""

    message_id: str
    type: str
    time: int
    body: bytes


class BrokerUnavailable(Exception):
    """The broker has not taken all that it was given; `returned` says how many it had no queue for."""

    def __init__(self, reason: str, returned: int = 0) -> None:
        super().__init__(reason)
        self.returned = returned


class Line(Protocol):
    """A connection to the broker."""

    def publish(self, messages: Sequence[Message], stop: threading.Event) -> bool:
        """Return True once every message is confirmed, False if told to stop before. Raises `BrokerUnavailable`."""

    def keep_alive(self) -> None:
        """Show the broker that somebody is there, and see whether it is. Raises `BrokerUnavailable`."""


class Broker(Protocol):
    """Where events are published."""

    def connected(self) -> AbstractContextManager[Line]:
        """Connect, and hang up afterwards. Raises `BrokerUnavailable`."""


class Publisher:
    """Publishes the history, as envelopes, while no other process does."""

    def __init__(
        self, connect: Callable[[], Connection[Any]], channel: str, envelopes: Envelopes, broker: Broker
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._envelopes = envelopes
        self._broker = broker

    def run(self, stop: threading.Event) -> None:
        """Publish until told to stop, through lost connections to the database and to the broker."""
        lead(NAME, self._connect, stop, self._follow)

    def _follow(self, connection: Connection[Any], stop: threading.Event) -> None:
        connection.execute(f'LISTEN "{self._channel}"')
        teller = _Teller(connection)
        while not stop.is_set():
            try:
                with self._broker.connected() as line:
                    self._publish(connection, line, teller, stop)
            except BrokerUnavailable as error:
                stop.wait(teller.tell_unavailable(error))

    def _publish(self, connection: Connection[Any], line: Line, teller: _Teller, stop: threading.Event) -> None:
        """Publish what there is, and what comes. Raises `BrokerUnavailable`."""
        while not stop.is_set():
            line.keep_alive()
            try:
                published = self._step(connection, line, stop)
            except EventNotApplied as error:
                show_failure(NAME, connection, error.position, error)
                stop.wait(LOOK_AGAIN_SECONDS)
                continue
            teller.tell_available()
            self._publish_checkpoints(connection, line, stop)
            if published < BATCH:
                for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass

    def _step(self, connection: Connection[Any], line: Line, stop: threading.Event) -> int:
        """Publish one batch, and return how many events it had. Raises `BrokerUnavailable`, `EventNotApplied`."""
        row = connection.cursor(row_factory=tuple_row).execute(SQL["position"]).fetchone()
        before = int(row[0]) if row else 0
        events = events_after(connection, before, BATCH)
        messages = self._messages(events)
        if messages and line.publish(messages, stop):
            with connection.transaction():
                reached = events[len(messages) - 1].position
                connection.execute(SQL["move"], {"before": before, "position": reached})
                connection.execute(SQL["tell_available"], {"published": len(messages)})
        return len(messages)

    def _publish_checkpoints(self, connection: Connection[Any], line: Line, stop: threading.Event) -> None:
        """Publish the checkpoints whose events have been, but for what is none any more. Raises `BrokerUnavailable`."""
        due = published_checkpoints.due(connection)
        messages, unreadable = [], []
        for one in due:
            try:
                messages.append(_message(published_checkpoints.envelope(self._envelopes.source, one)))
            except (MalformedNote, MalformedCheckpoint) as error:
                unreadable.append((one, str(error)))
        if due and (not messages or line.publish(messages, stop)):
            published_checkpoints.move(connection, due[-1])
            for one, reason in unreadable:
                log.error("checkpoint.unreadable", tree_size=one.tree_size, position=one.position, reason=reason)

    def _messages(self, events: Sequence[Positioned]) -> list[Message]:
        """Return the messages of these events, up to the first that has no envelope. Raises `EventNotApplied`."""
        messages: list[Message] = []
        for one in events:
            try:
                messages.append(_message(self._envelopes.of(one)))
            except Exception as error:
                if not messages:
                    raise EventNotApplied(one.position, error) from error
                break
        return messages


class _Teller:
    """Writes down how the broker does, for whoever looks after the service, and paces the attempts."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._available: bool | None = None
        self._remind_at = 0.0
        self._pause = FIRST_PAUSE_SECONDS

    def tell_available(self) -> None:
        """Tell that the broker takes events."""
        if not self._available:
            self._connection.execute(SQL["tell_available"], {"published": 0})
            log.info("publisher.available")
        self._available, self._pause = True, FIRST_PAUSE_SECONDS

    def tell_unavailable(self, error: BrokerUnavailable) -> float:
        """Tell that it does not, and return for how many seconds to leave it alone."""
        self._connection.execute(SQL["tell_unavailable"], {"reason": str(error), "returned": error.returned})
        if self._available is not False or time.monotonic() >= self._remind_at:
            log.warning("publisher.unavailable", reason=str(error))
            self._remind_at = time.monotonic() + REMIND_SECONDS
        self._available = False
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        return pause


def _message(envelope: dict[str, Any]) -> Message:
    return Message(
        message_id=envelope["id"],
        type=envelope["type"],
        time=int(datetime.fromisoformat(envelope["time"]).timestamp()),
        body=json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode(),
    )
