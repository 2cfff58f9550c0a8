"""Publishes all events to a message broker: at least once and in order, also across failures of the broker.

The position moves only when the broker has confirmed every event up to it. On any failure the connection is dropped,
and the same events are sent again over a new one. A consumer therefore sees the first copy of each event in order, and
recognizes later copies by their id.

This is not a `ProjectionFollower`, because it waits for a remote broker and must not hold a transaction open meanwhile.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from psycopg.rows import scalar_row

from adapters.postgres.event_store.settled_reads import events_after
from adapters.postgres.sql_files import statements
from application.ports.broker import BrokerUnavailable, Message
from application.transparency.checkpoint import MalformedCheckpoint
from application.transparency.signed_note import MalformedNote
from projections.feed import published_checkpoints
from projections.runtime.follower_loop import run_as_leader
from projections.runtime.follower_status import record_failure
from projections.runtime.projection_follower import EventNotApplied, require_within_store

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from adapters.postgres.event_store.settled_reads import RecordedEvent
    from application.ports.broker import Broker, BrokerConnection
    from projections.feed.event_catalog import Envelopes

SQL = statements("projections.feed", "publisher")

NAME = "publisher"
BATCH = 500
"""Maximum number of events in flight, and therefore of events sent again after a failure."""

POLL_SECONDS = 0.25
INITIAL_BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 10.0
RECHECK_SECONDS = 10.0
"""Pause after an event that has no envelope. It is short enough for the broker's heartbeat."""

LOG_INTERVAL_SECONDS = 60.0
"""Interval at which the log repeats that the broker accepts no events."""

log = structlog.get_logger(__name__)


class Publisher:
    """Publishes all events as envelopes, while no other process does."""

    def __init__(
        self, connect: Callable[[], Connection[Any]], channel: str, envelopes: Envelopes, broker: Broker
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._envelopes = envelopes
        self._broker = broker

    def run(self, stop: threading.Event) -> None:
        """Publish until `stop` is set, through lost connections to the database and to the broker."""
        run_as_leader(NAME, self._connect, stop, self._follow)

    def _follow(self, connection: Connection[Any], stop: threading.Event) -> None:
        connection.execute(f'LISTEN "{self._channel}"')
        reporter = _StatusReporter(connection)
        while not stop.is_set():
            try:
                with self._broker.connect() as broker_connection:
                    self._publish(connection, broker_connection, reporter, stop)
            except BrokerUnavailable as error:
                stop.wait(reporter.set_unavailable(error))

    def _publish(
        self,
        connection: Connection[Any],
        broker_connection: BrokerConnection,
        reporter: _StatusReporter,
        stop: threading.Event,
    ) -> None:
        """Publish the remaining events, then new ones as they are recorded. Raises `BrokerUnavailable`."""
        while not stop.is_set():
            broker_connection.keep_alive()
            try:
                published = self._step(connection, broker_connection, stop)
            except EventNotApplied as error:
                record_failure(NAME, connection, error.position, error)
                stop.wait(RECHECK_SECONDS)
                continue
            reporter.set_available()
            self._publish_checkpoints(connection, broker_connection, stop)
            if published < BATCH:
                for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass

    def _step(self, connection: Connection[Any], broker_connection: BrokerConnection, stop: threading.Event) -> int:
        """Publish one batch, and return the number of its events. Raises `BrokerUnavailable`, `EventNotApplied`."""
        before = int(connection.cursor(row_factory=scalar_row).execute(SQL["position"]).fetchone() or 0)
        events = events_after(connection, before, BATCH)
        if not events:
            require_within_store(connection, before)
        messages = self._messages(events)
        if messages and broker_connection.publish(messages, stop):
            with connection.transaction():
                position = events[len(messages) - 1].position
                connection.execute(SQL["advance_position"], {"before": before, "position": position})
                connection.execute(SQL["set_available"], {"published": len(messages)})
        return len(messages)

    def _publish_checkpoints(
        self, connection: Connection[Any], broker_connection: BrokerConnection, stop: threading.Event
    ) -> None:
        """Publish the due checkpoints, skipping unreadable ones. Raises `BrokerUnavailable`."""
        due_checkpoints = published_checkpoints.due(connection)
        messages, unreadable = [], []
        for checkpoint in due_checkpoints:
            try:
                messages.append(_message(published_checkpoints.envelope(self._envelopes.source, checkpoint)))
            except (MalformedNote, MalformedCheckpoint) as error:
                unreadable.append((checkpoint, str(error)))
        if due_checkpoints and (not messages or broker_connection.publish(messages, stop)):
            published_checkpoints.record_published(connection, due_checkpoints[-1])
            for checkpoint, reason in unreadable:
                log.error(
                    "checkpoint.unreadable",
                    tree_size=checkpoint.tree_size,
                    position=checkpoint.position,
                    reason=reason,
                )

    def _messages(self, events: Sequence[RecordedEvent]) -> list[Message]:
        """Return the messages of these events, up to the first that has no envelope. Raises `EventNotApplied`."""
        messages: list[Message] = []
        for event in events:
            try:
                messages.append(_message(self._envelopes.wrap(event)))
            except Exception as error:
                if not messages:
                    raise EventNotApplied(event.position, error) from error
                break
        return messages


class _StatusReporter:
    """Records the status of the broker for operators, and computes the back-off between attempts."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._available: bool | None = None
        self._next_log_at = 0.0
        self._backoff = INITIAL_BACKOFF_SECONDS

    def set_available(self) -> None:
        """Record that the broker accepts events."""
        if not self._available:
            self._connection.execute(SQL["set_available"], {"published": 0})
            log.info("publisher.available")
        self._available, self._backoff = True, INITIAL_BACKOFF_SECONDS

    def set_unavailable(self, error: BrokerUnavailable) -> float:
        """Record that the broker accepts no events, and return the seconds to wait before the next attempt."""
        self._connection.execute(SQL["set_unavailable"], {"reason": str(error), "returned": error.returned})
        if self._available is not False or time.monotonic() >= self._next_log_at:
            log.warning("publisher.unavailable", reason=str(error))
            self._next_log_at = time.monotonic() + LOG_INTERVAL_SECONDS
        self._available = False
        backoff, self._backoff = self._backoff, min(self._backoff * 2, MAX_BACKOFF_SECONDS)
        return backoff


def _message(envelope: dict[str, Any]) -> Message:
    return Message(
        message_id=envelope["id"],
        type=envelope["type"],
        time=int(datetime.fromisoformat(envelope["time"]).timestamp()),
        body=json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode(),
    )
