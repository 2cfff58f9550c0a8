"""Event tail: waiting for new events over one shared connection."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from adapters.postgres.signals import CHANNEL
from projections.feed import tail as tail_module
from projections.feed.tail import EventTail
from tests.postgres import connect, fetch, terminate_connections
from tests.waiting import eventually, run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.service import Service

TIMEOUT_SECONDS = 20.0


@pytest.fixture
def connections() -> list[psycopg.Connection[Any]]:
    """Return the list of connections that the tail has opened."""
    return []


@pytest.fixture
def tail(database_url: str, connections: list[psycopg.Connection[Any]]) -> Iterator[EventTail]:
    """Yield an event tail of the test database."""

    def open_connection() -> psycopg.Connection[Any]:
        connections.append(connect(database_url))
        return connections[-1]

    tail = EventTail(open_connection, CHANNEL)
    yield tail
    tail.end()
    eventually(lambda: not tail_threads())


def tail_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "event tail"]


@contextmanager
def waiting(tail: EventTail, position: int) -> Iterator[Callable[[], bool]]:
    """Wait in a thread for an event after the position; yield a function that returns the result."""
    results: list[bool] = []

    def wait() -> None:
        with tail.watched():
            results.append(tail.wait_beyond(position, TIMEOUT_SECONDS))

    thread = threading.Thread(target=wait)
    thread.start()

    def result() -> bool:
        thread.join(TIMEOUT_SECONDS)
        return results[0]

    yield result
    thread.join()


def record(service: Service) -> int:
    """Record an event, and return its position."""
    positions = service.main_accounts.recorder.insert_events([StoredEvent(uuid4(), 1, "Something", b"{}")])
    assert positions is not None
    return positions[-1]


def test_waiters_are_woken_by_new_events(service: Service, tail: EventTail) -> None:
    position = 0
    for _ in range(5):
        with waiting(tail, position) as result:
            began, position = time.monotonic(), record(service)
            assert result()
            assert time.monotonic() - began < TIMEOUT_SECONDS / 2


def test_tail_polls_for_events_without_a_signal(tail: EventTail, database_url: str) -> None:
    with waiting(tail, 0) as result:
        eventually(tail_threads)
        fetch(database_url, "INSERT INTO stored_events VALUES (gen_random_uuid(), 1, 'Something', '')")
        assert result()


def test_tail_is_woken_by_the_signal(
    service: Service,
    tail: EventTail,
    connections: list[psycopg.Connection[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Polling is too slow here to explain the wake-up."""
    monkeypatch.setattr(tail_module, "POLL_SECONDS", TIMEOUT_SECONDS)
    with waiting(tail, 0) as result:
        eventually(lambda: connections)
        record(service)
        assert result()
        service.signals.signal()
    record(service)


def test_existing_events_end_the_wait_at_once(service: Service, tail: EventTail) -> None:
    position = record(service)
    with tail.watched():
        assert tail.wait_beyond(position - 1, TIMEOUT_SECONDS)


def test_wait_times_out_without_new_events(service: Service, tail: EventTail) -> None:
    position = record(service)
    with tail.watched():
        began = time.monotonic()
        assert not tail.wait_beyond(position, 0.3)
        assert time.monotonic() - began >= 0.3


def test_waiters_share_one_connection(
    service: Service, tail: EventTail, connections: list[psycopg.Connection[Any]]
) -> None:
    with ExitStack() as stack:
        results = [stack.enter_context(waiting(tail, 0)) for _ in range(16)]
        record(service)
        assert run_concurrently(results) == [True] * 16
    assert len(connections) == 1


def test_connection_is_closed_when_idle(
    service: Service, tail: EventTail, connections: list[psycopg.Connection[Any]]
) -> None:
    """The next waiter opens a new connection."""
    for opened in (1, 2):
        with tail.watched():
            assert tail.wait_beyond(record(service) - 1, TIMEOUT_SECONDS)
        eventually(lambda: not tail_threads())
        assert len(connections) == opened
        assert connections[-1].closed


def test_waiters_survive_a_lost_connection(
    service: Service, tail: EventTail, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events recorded during the outage wake them."""
    monkeypatch.setattr(tail_module, "RECONNECT_SECONDS", 0.01)
    position = record(service)
    with waiting(tail, position) as result:
        eventually(lambda: tail_threads() and terminate_connections(database_url))
        fetch(database_url, "INSERT INTO stored_events VALUES (gen_random_uuid(), 1, 'Something', '')")
        assert result()


def test_tail_stops_reconnecting_when_idle(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "RECONNECT_SECONDS", 0.01)
    attempts: list[int] = []

    def refuse() -> psycopg.Connection[Any]:
        attempts.append(1)
        raise psycopg.OperationalError("connection refused")

    tail = EventTail(refuse, CHANNEL)
    with tail.watched():
        eventually(lambda: len(attempts) > 3)
    eventually(lambda: not tail_threads())


def test_ended_tail_releases_current_and_later_waiters(service: Service, tail: EventTail) -> None:
    position = record(service)
    with ExitStack() as stack:
        results = [stack.enter_context(waiting(tail, position)) for _ in range(4)]
        eventually(tail_threads)
        began = time.monotonic()
        tail.end()
        assert run_concurrently(results) == [False] * 4
    with tail.watched():
        assert not tail.wait_beyond(position, TIMEOUT_SECONDS)
    assert tail.ended
    assert time.monotonic() - began < TIMEOUT_SECONDS / 2
