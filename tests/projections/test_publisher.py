"""The publisher passes on every event, in order, and forgets none for whatever a broker does."""

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
from projections import leadership
from projections import publisher as module
from projections.event_feed import FeedFilter
from projections.published_events import BY_TYPE, Envelopes
from projections.publisher import NAME, BrokerUnavailable, Message, Publisher
from tests.domain.pinned_events import FACTS, HISTORY
from tests.jobs import at_work
from tests.postgres import ask, connect, cut_off
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from api.bootstrap import Service
    from projections.progress import PublisherProgress

ENVELOPES = Envelopes("https://portal.example")


class PaperBroker:
    """Writes down what it takes; `refuses` says how it fails meanwhile."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.messages: list[Message] = []
        self.attempts: list[int] = []
        self.lines = 0
        self.refuses: BrokerUnavailable | None = None
        self.holds = threading.Event()
        self.holds.set()

    @contextmanager
    def connected(self) -> Iterator[PaperBroker]:
        self.lines += 1
        yield self

    def publish(self, messages: Sequence[Message], stop: threading.Event) -> bool:
        positions = [json.loads(one.body)["position"] for one in messages]
        self.attempts.append(positions[0])
        while not self.holds.wait(0.01):
            if stop.is_set():
                return False
        if self.refuses is not None:
            raise self.refuses
        self.taken += positions
        self.messages += messages
        return True

    def keep_alive(self) -> None:
        """Be there."""


@pytest.fixture
def broker() -> PaperBroker:
    return PaperBroker()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.02)


def publishing(database_url: str, *brokers: PaperBroker) -> AbstractContextManager[None]:
    """Have a publisher run for each broker, as in a process of its own."""
    return at_work(*(Publisher(lambda: connect(database_url), CHANNEL, ENVELOPES, broker).run for broker in brokers))


def record(service: Service, count: int, topic: str = "SubUserDeactivated") -> list[int]:
    """Record events, each in a stream of its own, and return where they stand."""
    state = {"timestamp": "2026-11-23T21:09:33.035893+00:00", "actor_type": "system", "sub_user_id": str(uuid4())}
    events = [StoredEvent(uuid4(), 1, topic, json.dumps(state).encode()) for _ in range(count)]
    return list(service.main_accounts.recorder.insert_events(events) or ())


def standing(url: str) -> tuple[Any, ...]:
    rows = ask(url, "SELECT position, failed_position, failure FROM followers WHERE name = %s", NAME)
    return rows[0] if rows else (0, None, None)


def told(service: Service) -> PublisherProgress | None:
    return service.progress.publisher()


def test_everything_from_the_beginning_then_what_comes(
    service: Service, broker: PaperBroker, database_url: str
) -> None:
    """Once each, in order; how it gets on is there to be read."""
    assert told(service) is None
    first = record(service, 1200)
    with publishing(database_url, broker):
        eventually(lambda: standing(database_url)[0] == first[-1])
        second = record(service, 3)
        eventually(lambda: standing(database_url)[0] == second[-1])
        state = told(service)
        assert state is not None
        assert (state.available, state.reason, state.published, state.returned, state.led) == (
            True,
            None,
            1203,
            0,
            True,
        )
    assert broker.taken == first + second
    assert broker.lines == 1
    assert eventually(lambda: (state := told(service)) is not None and not state.led)


def test_messages_of_every_kind_are_what_their_schemas_say(
    service: Service, broker: PaperBroker, database_url: str
) -> None:
    """What is handed to the broker, byte by byte: the feed's envelope, under its type, known by its id."""
    rows = [StoredEvent(uuid4(), 1, row.topic, row.payload.encode()) for row in (*HISTORY, *FACTS)]
    service.main_accounts.recorder.insert_events(rows)
    with publishing(database_url, broker):
        eventually(lambda: standing(database_url)[0] == service.event_feed.end())
    assert {one.type for one in broker.messages} == BY_TYPE.keys()
    bodies = [json.loads(one.body) for one in broker.messages]
    assert bodies == service.event_feed.page(0, 1000, FeedFilter()).items
    for message, body in zip(broker.messages, bodies, strict=True):
        assert (message.message_id, message.type) == (body["id"], body["type"])
        schema = ENVELOPES.schema(BY_TYPE[message.type])
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(body)


def test_it_goes_on_where_it_stopped(service: Service, broker: PaperBroker, database_url: str) -> None:
    """A publisher that is started again repeats nothing that was confirmed to the last one."""
    first = record(service, 3)
    with publishing(database_url, broker):
        eventually(lambda: standing(database_url)[0] == first[-1])
    second = record(service, 3)
    with publishing(database_url, broker):
        eventually(lambda: standing(database_url)[0] == second[-1])
    assert broker.taken == first + second


def test_what_is_not_confirmed_goes_out_again_over_a_new_line(
    service: Service, broker: PaperBroker, database_url: str
) -> None:
    """The same events, from the stored position; meanwhile it says why, and since when. Then it drains by itself."""
    broker.refuses = BrokerUnavailable("the broker's own words", returned=2)
    positions = record(service, 5)
    with publishing(database_url, broker):
        eventually(lambda: broker.lines >= 4)
        assert standing(database_url) == (0, None, None)
        state = told(service)
        assert state is not None
        assert (state.available, state.reason, state.published) == (False, "the broker's own words", 0)
        assert state.returned >= 6
        later = eventually(lambda: broker.lines >= 8 and told(service))
        assert later
        assert later.since == state.since

        broker.refuses = None

        eventually(lambda: standing(database_url)[0] == positions[-1])
        assert eventually(lambda: (state := told(service)) and state.available and state.reason is None)
    assert set(broker.attempts) == {positions[0]}
    assert broker.taken == positions


def test_the_log_tells_of_a_change_not_of_every_attempt(
    service: Service, broker: PaperBroker, database_url: str
) -> None:
    """One line when the broker goes, one when it is back."""
    broker.refuses = BrokerUnavailable("gone")
    record(service, 1)
    with structlog.testing.capture_logs() as lines, publishing(database_url, broker):
        eventually(lambda: broker.lines >= 10)
        broker.refuses = None
        eventually(lambda: broker.taken)
        eventually(lambda: any(line["event"] == "publisher.available" for line in lines))
    assert [line["event"] for line in lines if line["event"].startswith("publisher")] == [
        "publisher.unavailable",
        "publisher.available",
    ]


def test_the_log_repeats_it_every_minute(
    service: Service, broker: PaperBroker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMIND_SECONDS", 0.0)
    broker.refuses = BrokerUnavailable("gone")
    record(service, 1)
    with structlog.testing.capture_logs() as lines, publishing(database_url, broker):
        eventually(lambda: len([line for line in lines if line["event"] == "publisher.unavailable"]) > 3)


def test_no_transaction_is_open_while_it_waits(service: Service, broker: PaperBroker, database_url: str) -> None:
    """A broker that does not answer holds up neither commands nor vacuum, and stopping does not wait for it."""
    broker.holds.clear()
    record(service, 1)
    with publishing(database_url, broker):
        eventually(lambda: broker.attempts)
        open_ones = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        assert ask(database_url, open_ones) == []
    assert standing(database_url)[0] == 0


def test_an_event_without_an_envelope_stops_it_for_all_to_see(
    service: Service, broker: PaperBroker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes before is published, nothing is passed over; mended, it goes on."""
    monkeypatch.setattr(module, "LOOK_AGAIN_SECONDS", 0.05)
    before = record(service, 2)
    (block,) = record(service, 1, "NotInTheCatalog")
    after = record(service, 2)
    with publishing(database_url, broker):
        eventually(lambda: standing(database_url) == (before[-1], block, "KeyError: 'NotInTheCatalog'"))
        ask(database_url, "UPDATE stored_events SET topic = 'SubUserDeleted' WHERE topic = 'NotInTheCatalog'")
        eventually(lambda: standing(database_url) == (after[-1], None, None))
    assert broker.taken == [*before, block, *after]


def test_a_position_that_is_set_by_hand_holds(service: Service, broker: PaperBroker, database_url: str) -> None:
    """Whoever wants history again sets the position back, also amid a batch."""
    positions = record(service, 3)
    with publishing(database_url, broker):
        eventually(lambda: standing(database_url)[0] == positions[-1])
        broker.holds.clear()
        positions += record(service, 1)
        eventually(lambda: len(broker.attempts) == 2)
        ask(database_url, "UPDATE followers SET position = 0 WHERE name = %s", NAME)
        broker.holds.set()
        eventually(lambda: standing(database_url)[0] == positions[-1])
    assert broker.taken == [*positions, *positions]


def test_one_leads_and_another_takes_over(
    service: Service, broker: PaperBroker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes publish, one at a time; what was under way at the change goes out again, in order."""
    monkeypatch.setattr(leadership, "LEADER_CHECK_SECONDS", 0.02)
    monkeypatch.setattr(leadership, "FIRST_PAUSE_SECONDS", 0.5)
    other = PaperBroker()
    with publishing(database_url, broker, other):
        first = record(service, 3)
        eventually(lambda: standing(database_url)[0] == first[-1])
        assert bool(broker.taken) != bool(other.taken)
        old, new = (broker, other) if broker.taken else (other, broker)
        old.holds.clear()
        second = record(service, 3)
        eventually(lambda: len(old.attempts) == 2)

        cut_off(database_url)

        eventually(lambda: new.taken == second)
        old.holds.set()
        eventually(lambda: old.taken == first + second)
        eventually(lambda: standing(database_url)[0] == second[-1])
