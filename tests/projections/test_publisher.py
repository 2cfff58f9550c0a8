"""Publisher: at-least-once delivery of all events to the broker, in order of position."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import jsonschema_rs
import pytest
import structlog
from eventsourcing.persistence import StoredEvent

from adapters.postgres.signals import CHANNEL
from application.ports.broker import BrokerUnavailable, Message
from projections.feed import publisher
from projections.feed.event_catalog import BY_TYPE, Envelopes
from projections.feed.pages import FeedFilter
from projections.feed.publisher import NAME, Publisher
from projections.runtime import follower_loop, leader_lock
from tests.domain.pinned_events import HISTORY, STANDALONE_EVENTS
from tests.jobs import running_jobs
from tests.postgres import connect, fetch, terminate_connections
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from api.bootstrap.service import Service
    from projections.runtime.progress import PublisherProgress

ENVELOPES = Envelopes("https://portal.example")


class RecordingBroker:
    """Broker double: records messages, raises `failure` if it is set, and waits while `responds` is cleared."""

    def __init__(self) -> None:
        self.confirmed: list[int] = []
        self.messages: list[Message] = []
        self.attempts: list[int] = []
        self.connections = 0
        self.failure: BrokerUnavailable | None = None
        self.responds = threading.Event()
        self.responds.set()

    @contextmanager
    def connect(self) -> Iterator[RecordingBroker]:
        self.connections += 1
        yield self

    def publish(self, messages: Sequence[Message], stop: threading.Event) -> bool:
        positions = [json.loads(message.body)["position"] for message in messages]
        self.attempts.append(positions[0])
        while not self.responds.wait(0.01):
            if stop.is_set():
                return False
        if self.failure is not None:
            raise self.failure
        self.confirmed += positions
        self.messages += messages
        return True

    def keep_alive(self) -> None:
        """Do nothing: there is no connection to keep open."""


@pytest.fixture
def broker() -> RecordingBroker:
    return RecordingBroker()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "INITIAL_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(publisher, "MAX_BACKOFF_SECONDS", 0.02)


def publishing(database_url: str, *brokers: RecordingBroker) -> AbstractContextManager[None]:
    """Run one publisher per broker, as in separate processes."""
    return running_jobs(
        *(Publisher(lambda: connect(database_url), CHANNEL, ENVELOPES, broker).run for broker in brokers)
    )


def record(service: Service, count: int, topic: str = "SubUserDeactivated") -> list[int]:
    """Record events, each in a new stream, and return their positions."""
    state = {"timestamp": "2026-11-23T21:09:33.035893+00:00", "actor_type": "system", "sub_user_id": str(uuid4())}
    events = [StoredEvent(uuid4(), 1, topic, json.dumps(state).encode()) for _ in range(count)]
    return list(service.main_accounts.recorder.insert_events(events) or ())


def publisher_state(url: str) -> tuple[Any, ...]:
    rows = fetch(url, "SELECT position, failed_position, failure FROM followers WHERE name = %s", NAME)
    return rows[0] if rows else (0, None, None)


def publisher_progress(service: Service) -> PublisherProgress | None:
    return service.queries.progress.publisher()


def test_existing_and_new_events_are_published_once_in_order(
    service: Service, broker: RecordingBroker, database_url: str
) -> None:
    """The publisher's progress is reported."""
    assert publisher_progress(service) is None
    first = record(service, 1200)
    with publishing(database_url, broker):
        eventually(lambda: publisher_state(database_url)[0] == first[-1])
        second = record(service, 3)
        eventually(lambda: publisher_state(database_url)[0] == second[-1])
        state = publisher_progress(service)
        assert state is not None
        assert (state.available, state.reason, state.published, state.returned, state.led) == (
            True,
            None,
            1203,
            0,
            True,
        )
    assert broker.confirmed == first + second
    assert broker.connections == 1
    assert eventually(lambda: (state := publisher_progress(service)) is not None and not state.led)


def test_messages_match_the_feed_and_their_schemas(
    service: Service, broker: RecordingBroker, database_url: str
) -> None:
    """Message bodies are the feed's envelopes; message id and type are those of the envelope."""
    rows = [StoredEvent(uuid4(), 1, row.topic, row.payload.encode()) for row in (*HISTORY, *STANDALONE_EVENTS)]
    service.main_accounts.recorder.insert_events(rows)
    with publishing(database_url, broker):
        eventually(lambda: publisher_state(database_url)[0] == service.queries.events.end())
    assert {message.type for message in broker.messages} == BY_TYPE.keys()
    bodies = [json.loads(message.body) for message in broker.messages]
    items = service.queries.events.page(0, 1000, FeedFilter()).items
    assert {item.pop("epoch") for item in items} == {str(service.lineage.epoch)}
    assert bodies == items
    for message, body in zip(broker.messages, bodies, strict=True):
        assert (message.message_id, message.type) == (body["id"], body["type"])
        schema = ENVELOPES.schema(BY_TYPE[message.type])
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(body)


def test_restarted_publisher_resumes_at_its_position(
    service: Service, broker: RecordingBroker, database_url: str
) -> None:
    """No confirmed message is repeated."""
    first = record(service, 3)
    with publishing(database_url, broker):
        eventually(lambda: publisher_state(database_url)[0] == first[-1])
    second = record(service, 3)
    with publishing(database_url, broker):
        eventually(lambda: publisher_state(database_url)[0] == second[-1])
    assert broker.confirmed == first + second


def test_unconfirmed_messages_are_resent_over_a_new_connection(
    service: Service, broker: RecordingBroker, database_url: str
) -> None:
    """Resending starts at the stored position. Until then the progress shows the reason and the time of the failure."""
    broker.failure = BrokerUnavailable("the broker's own words", returned=2)
    positions = record(service, 5)
    with publishing(database_url, broker):
        eventually(lambda: broker.connections >= 4)
        assert publisher_state(database_url) == (0, None, None)
        state = publisher_progress(service)
        assert state is not None
        assert (state.available, state.reason, state.published) == (False, "the broker's own words", 0)
        assert state.returned >= 6
        later = eventually(lambda: broker.connections >= 8 and publisher_progress(service))
        assert later
        assert later.since == state.since

        broker.failure = None

        eventually(lambda: publisher_state(database_url)[0] == positions[-1])
        assert eventually(lambda: (state := publisher_progress(service)) and state.available and state.reason is None)
    assert set(broker.attempts) == {positions[0]}
    assert broker.confirmed == positions


def test_log_reports_changes_of_availability_only(service: Service, broker: RecordingBroker, database_url: str) -> None:
    """Failed attempts in between are not logged."""
    broker.failure = BrokerUnavailable("gone")
    record(service, 1)
    with structlog.testing.capture_logs() as lines, publishing(database_url, broker):
        eventually(lambda: broker.connections >= 10)
        broker.failure = None
        eventually(lambda: broker.confirmed)
        eventually(lambda: any(line["event"] == "publisher.available" for line in lines))
    assert [line["event"] for line in lines if line["event"].startswith("publisher")] == [
        "publisher.unavailable",
        "publisher.available",
    ]


def test_log_repeats_the_failure_periodically(
    service: Service, broker: RecordingBroker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "LOG_INTERVAL_SECONDS", 0.0)
    broker.failure = BrokerUnavailable("gone")
    record(service, 1)
    with structlog.testing.capture_logs() as lines, publishing(database_url, broker):
        eventually(lambda: len([line for line in lines if line["event"] == "publisher.unavailable"]) > 3)


def test_no_transaction_is_open_while_awaiting_confirmation(
    service: Service, broker: RecordingBroker, database_url: str
) -> None:
    """A broker that does not respond blocks neither commands nor vacuum, nor the shutdown."""
    broker.responds.clear()
    record(service, 1)
    with publishing(database_url, broker):
        eventually(lambda: broker.attempts)
        open_transactions = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        assert fetch(database_url, open_transactions) == []
    assert publisher_state(database_url)[0] == 0


def test_event_without_an_envelope_stops_the_publisher(
    service: Service, broker: RecordingBroker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier events are published, and no event is skipped. After a fix it continues."""
    monkeypatch.setattr(publisher, "RECHECK_SECONDS", 0.05)
    before = record(service, 2)
    (failing,) = record(service, 1, "NotInTheCatalog")
    after = record(service, 2)
    with publishing(database_url, broker):
        eventually(lambda: publisher_state(database_url) == (before[-1], failing, "KeyError: 'NotInTheCatalog'"))
        fetch(database_url, "UPDATE stored_events SET topic = 'SubUserDeleted' WHERE topic = 'NotInTheCatalog'")
        eventually(lambda: publisher_state(database_url) == (after[-1], None, None))
    assert broker.confirmed == [*before, failing, *after]


def test_position_set_by_an_operator_is_kept(service: Service, broker: RecordingBroker, database_url: str) -> None:
    """An operator can republish history by setting the position back, even during a batch."""
    positions = record(service, 3)
    with publishing(database_url, broker):
        eventually(lambda: publisher_state(database_url)[0] == positions[-1])
        broker.responds.clear()
        positions += record(service, 1)
        eventually(lambda: len(broker.attempts) == 2)
        fetch(database_url, "UPDATE followers SET position = 0 WHERE name = %s", NAME)
        broker.responds.set()
        eventually(lambda: publisher_state(database_url)[0] == positions[-1])
    assert broker.confirmed == [*positions, *positions]


def test_standby_publisher_takes_over(
    service: Service, broker: RecordingBroker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one process publishes. The batch in progress at the takeover is resent in order."""
    monkeypatch.setattr(leader_lock, "LEADER_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(follower_loop, "INITIAL_BACKOFF_SECONDS", 0.5)
    other = RecordingBroker()
    with publishing(database_url, broker, other):
        first = record(service, 3)
        eventually(lambda: publisher_state(database_url)[0] == first[-1])
        assert bool(broker.confirmed) != bool(other.confirmed)
        old, new = (broker, other) if broker.confirmed else (other, broker)
        old.responds.clear()
        second = record(service, 3)
        eventually(lambda: len(old.attempts) == 2)

        terminate_connections(database_url)

        eventually(lambda: new.confirmed == second)
        old.responds.set()
        eventually(lambda: old.confirmed == first + second)
        eventually(lambda: publisher_state(database_url)[0] == second[-1])
