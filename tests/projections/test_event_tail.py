"""Waiting for the end of the history: woken soon, one connection for all who wait, none when nobody does."""

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
from projections import event_tail as module
from projections.event_tail import EventTail
from tests.postgres import ask, connect, cut_off
from tests.waiting import at_once, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap import Service

LONG = 20.0


@pytest.fixture
def connections() -> list[psycopg.Connection[Any]]:
    """Give every connection that the tail has opened so far."""
    return []


@pytest.fixture
def tail(database_url: str, connections: list[psycopg.Connection[Any]]) -> Iterator[EventTail]:
    """Give a tail of the test's history."""

    def connected() -> psycopg.Connection[Any]:
        connections.append(connect(database_url))
        return connections[-1]

    tail = EventTail(connected, CHANNEL)
    yield tail
    tail.end()
    eventually(lambda: not watching())


def watching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "event tail"]


@contextmanager
def waiting(tail: EventTail, position: int) -> Iterator[Callable[[], bool]]:
    """Have somebody wait for what comes after a position; yield what returns what they were told, once they were."""
    told: list[bool] = []

    def wait() -> None:
        with tail.watched():
            told.append(tail.wait_beyond(position, LONG))

    thread = threading.Thread(target=wait)
    thread.start()

    def answer() -> bool:
        thread.join(LONG)
        return told[0]

    yield answer
    thread.join()


def record(service: Service) -> int:
    """Record an event, and return where it stands."""
    positions = service.main_accounts.recorder.insert_events([StoredEvent(uuid4(), 1, "Something", b"{}")])
    assert positions is not None
    return positions[-1]


def test_whoever_waits_is_woken(service: Service, tail: EventTail) -> None:
    position = 0
    for _ in range(5):
        with waiting(tail, position) as answer:
            began, position = time.monotonic(), record(service)
            assert answer()
            assert time.monotonic() - began < LONG / 2


def test_no_signal_is_needed(tail: EventTail, database_url: str) -> None:
    """What was written without any is found by looking."""
    with waiting(tail, 0) as answer:
        eventually(watching)
        ask(database_url, "INSERT INTO stored_events VALUES (gen_random_uuid(), 1, 'Something', '')")
        assert answer()


def test_a_signal_is_enough(
    service: Service,
    tail: EventTail,
    connections: list[psycopg.Connection[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With polling as good as off."""
    monkeypatch.setattr(module, "POLL_SECONDS", LONG)
    with waiting(tail, 0) as answer:
        eventually(lambda: connections)
        record(service)
        assert answer()
        service.signals.signal()
    record(service)


def test_what_is_there_already_is_told_at_once(service: Service, tail: EventTail) -> None:
    position = record(service)
    with tail.watched():
        assert tail.wait_beyond(position - 1, LONG)


def test_whoever_waits_in_vain_is_told_so(service: Service, tail: EventTail) -> None:
    """After the time that they gave, and not before."""
    position = record(service)
    with tail.watched():
        began = time.monotonic()
        assert not tail.wait_beyond(position, 0.3)
        assert time.monotonic() - began >= 0.3


def test_many_wait_on_one_connection(
    service: Service, tail: EventTail, connections: list[psycopg.Connection[Any]]
) -> None:
    with ExitStack() as stack:
        answers = [stack.enter_context(waiting(tail, 0)) for _ in range(16)]
        record(service)
        assert at_once(answers) == [True] * 16
    assert len(connections) == 1


def test_where_nobody_waits_there_is_no_connection(
    service: Service, tail: EventTail, connections: list[psycopg.Connection[Any]]
) -> None:
    """And the next to wait opens another."""
    for opened in (1, 2):
        with tail.watched():
            assert tail.wait_beyond(record(service) - 1, LONG)
        eventually(lambda: not watching())
        assert len(connections) == opened
        assert connections[-1].closed


def test_a_lost_connection_costs_a_moment(
    service: Service, tail: EventTail, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits goes on waiting, and is told of what came meanwhile."""
    monkeypatch.setattr(module, "RECONNECT_SECONDS", 0.01)
    position = record(service)
    with waiting(tail, position) as answer:
        eventually(lambda: watching() and cut_off(database_url))
        ask(database_url, "INSERT INTO stored_events VALUES (gen_random_uuid(), 1, 'Something', '')")
        assert answer()


def test_a_database_that_is_away_is_asked_again(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often connecting fails; and when nobody waits any more, no more."""
    monkeypatch.setattr(module, "RECONNECT_SECONDS", 0.01)
    tries: list[int] = []

    def refuse() -> psycopg.Connection[Any]:
        tries.append(1)
        raise psycopg.OperationalError("connection refused")

    tail = EventTail(refuse, CHANNEL)
    with tail.watched():
        eventually(lambda: len(tries) > 3)
    eventually(lambda: not watching())


def test_when_it_ends_nobody_waits_any_more(service: Service, tail: EventTail) -> None:
    """Not those who do, nor those who come later."""
    position = record(service)
    with ExitStack() as stack:
        answers = [stack.enter_context(waiting(tail, position)) for _ in range(4)]
        eventually(watching)
        began = time.monotonic()
        tail.end()
        assert at_once(answers) == [False] * 4
    with tail.watched():
        assert not tail.wait_beyond(position, LONG)
    assert tail.ended
    assert time.monotonic() - began < LONG / 2
