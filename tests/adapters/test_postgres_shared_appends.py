"""Appends that come at the same time go together, and each is written or refused by itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.postgres.recorder import Recorder
from adapters.postgres.shared_appends import MOST_AT_ONCE, SharedAppends
from application.errors import StoreUnavailable, VersionConflict
from tests.postgres import ask
from tests.waiting import at_once, eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.postgres.shared_appends import Place
    from api.bootstrap import Service


class Store:
    """Where events are appended, a transaction at a time, each of which waits until it is let through.

    Some fail, by their number.
    """

    def __init__(self, **fails: BaseException) -> None:
        self.transactions: list[list[StoredEvent]] = []
        self.taken: dict[Place, int] = {}
        self._fails = fails
        self.shared = SharedAppends(self._append)
        self._let_through = threading.Semaphore(0)

    def _append(self, events: Sequence[StoredEvent]) -> dict[Place, int]:
        self.transactions.append(list(events))
        assert self._let_through.acquire(timeout=20)
        failure = self._fails.get(f"number_{len(self.transactions)}")
        if failure is not None:
            raise failure
        written: dict[Place, int] = {}
        for one in events:
            if place(one) not in self.taken:
                written[place(one)] = self.taken[place(one)] = len(self.taken) + 1
        return written

    def let_through(self, transactions: int = 1) -> None:
        """Let so many of them end."""
        self._let_through.release(transactions)

    def is_at(self, transaction: int) -> bool:
        """Say whether this one is under way."""
        return len(self.transactions) == transaction

    def waiting(self) -> int:
        """Return how many have come meanwhile."""
        return len(self.shared._waiting)  # noqa: SLF001  # nothing else shows that somebody waits


def event(stream: UUID | None = None, version: int = 1) -> StoredEvent:
    return StoredEvent(stream or uuid4(), version, "Something", b"{}")


def place(one: StoredEvent) -> Place:
    assert isinstance(one.originator_id, UUID)
    return one.originator_id, one.originator_version


def while_one_is_under_way(store: Store, events: Sequence[StoredEvent], transactions: int = 1) -> list[object]:
    """Append these while another transaction is under way, and return what each comes to."""

    def outcome(one: StoredEvent) -> object:
        try:
            return store.shared.append(one)
        except Exception as error:  # noqa: BLE001  # that is what it came to
            return error

    with ThreadPoolExecutor(len(events) + 1) as threads:
        first = threads.submit(outcome, event())
        eventually(lambda: store.is_at(1))
        others = []
        for number, one in enumerate(events, start=1):
            others.append(threads.submit(outcome, one))
            eventually(partial(lambda number: store.waiting() == number, number))
        store.let_through(1 + transactions)
        first.result(timeout=20)
        return [other.result(timeout=20) for other in others]


def test_who_comes_alone_waits_for_nobody() -> None:
    """And has a transaction of one event."""
    store, one = Store(), event()
    store.let_through()
    assert store.shared.append(one) == 1
    assert store.transactions == [[one]]


def test_all_who_come_meanwhile_go_together() -> None:
    """In the order of their places; each is told its own position."""
    store, events = Store(), [event() for _ in range(5)]
    positions = while_one_is_under_way(store, events)
    assert [len(one) for one in store.transactions] == [1, 5]
    assert store.transactions[1] == sorted(events, key=place)
    assert positions == [store.taken[place(one)] for one in events]


def test_of_too_many_some_go_later() -> None:
    """In the order in which they came."""
    store, events = Store(), [event() for _ in range(MOST_AT_ONCE + 3)]
    positions = while_one_is_under_way(store, events, transactions=2)
    assert [len(one) for one in store.transactions] == [1, MOST_AT_ONCE, 3]
    assert positions == [store.taken[place(one)] for one in events]
    assert set(map(place, store.transactions[2])) == set(map(place, events[-3:]))


def test_of_two_for_one_place_one_gets_it() -> None:
    """The other is told of a conflict, and the rest is as it would be."""
    store, stream = Store(), uuid4()
    outcomes = while_one_is_under_way(store, [event(stream), event(), event(stream)])
    assert [type(one) for one in outcomes].count(VersionConflict) == 1
    assert sorted(one for one in outcomes if isinstance(one, int)) == [2, 3]


def test_a_failure_is_told_to_all_whom_it_is_about() -> None:
    """And to nobody else: later ones begin anew."""
    store = Store(number_2=StoreUnavailable())
    outcomes = while_one_is_under_way(store, [event() for _ in range(3)])
    assert [type(one) for one in outcomes] == [StoreUnavailable] * 3
    store.let_through()
    assert store.shared.append(event()) == 2


def test_who_is_interrupted_leaves_nobody_waiting() -> None:
    """What became of their event nobody knows then; those who have come meanwhile go on."""
    store = Store(number_1=KeyboardInterrupt())
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(store.shared.append, event())
        eventually(lambda: store.is_at(1))
        second = threads.submit(store.shared.append, event())
        eventually(lambda: store.waiting() == 1)
        store.let_through(2)
        with pytest.raises(KeyboardInterrupt):
            first.result(timeout=20)
        assert second.result(timeout=20) == 1


def test_what_an_interruption_takes_along_is_not_said_to_be_written() -> None:
    """Those whose events were in the transaction are told that the store could not be had."""
    store = Store(number_2=KeyboardInterrupt())
    with ThreadPoolExecutor(4) as threads:
        tasks = [threads.submit(store.shared.append, event())]
        eventually(lambda: store.is_at(1))
        for number in range(1, 4):
            tasks.append(threads.submit(store.shared.append, event()))
            eventually(partial(lambda number: store.waiting() == number, number))
        store.let_through(2)
        raised = [type(task.exception(timeout=20)) for task in tasks[1:]]
    assert sorted(one.__name__ for one in raised) == ["KeyboardInterrupt", "StoreUnavailable", "StoreUnavailable"]


def test_a_place_that_is_taken_is_refused_by_itself(service: Service, database_url: str) -> None:
    """In the database, too: those beside it are written."""
    recorder, taken = Recorder(service.database, lambda: None), event()
    recorder.insert_events([taken])
    written = recorder._append_each([event(), taken, event()])  # noqa: SLF001  # what a transaction of several does
    assert len(written) == 2
    assert place(taken) not in written
    found = {(row[0], row[1]): row[2] for row in ask(database_url, PLACES)}
    assert written.items() <= found.items()
    assert len(found) == 3


PLACES = "SELECT originator_id, originator_version, notification_id FROM stored_events"


def test_processes_that_race_for_the_same_places_share_them_out(service: Service, database_url: str) -> None:
    """Each place goes to one of them, whatever came together in their transactions, and none waits for another."""
    recorders = [Recorder(service.database, lambda: None) for _ in range(2)]
    streams = [uuid4() for _ in range(6)]

    def race(recorder: Recorder, start: int) -> int:
        won = 0
        for number in range(120):
            stream, version = streams[(start + number) % len(streams)], number // len(streams) + 1
            try:
                recorder.insert_events([event(stream, version)])
                won += 1
            except VersionConflict:
                pass
        return won

    won = at_once([partial(race, recorder, start) for start in range(4) for recorder in recorders])
    ((stored,),) = ask(database_url, "SELECT count(*) FROM stored_events")
    assert all(isinstance(one, int) for one in won), won
    assert sum(one for one in won if isinstance(one, int)) == stored >= 120
