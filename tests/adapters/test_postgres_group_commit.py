"""Group commit: concurrent appends share a transaction, and each succeeds or fails on its own."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.postgres.event_store.group_commit import MAX_BATCH, GroupCommit
from adapters.postgres.event_store.recorder import Recorder
from application.errors import StoreUnavailable, VersionConflict
from application.request_deadlines import MIN_SECONDS, request_deadline
from tests.postgres import fetch
from tests.waiting import eventually, run_concurrently

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.postgres.event_store.group_commit import StreamVersion
    from api.bootstrap.service import Service


class FakeStore:
    """In-memory store to which a `GroupCommit` appends; each transaction waits until the test releases it.

    `failures` maps the number of a transaction to the error that it raises.
    """

    def __init__(self, failures: dict[int, BaseException] | None = None) -> None:
        self.transactions: list[list[StoredEvent]] = []
        self.positions: dict[StreamVersion, int] = {}
        self._failures = failures or {}
        self.group_commit = GroupCommit(self._append)
        self._released = threading.Semaphore(0)

    def _append(self, events: Sequence[StoredEvent]) -> dict[StreamVersion, int]:
        self.transactions.append(list(events))
        assert self._released.acquire(timeout=20)
        failure = self._failures.get(len(self.transactions))
        if failure is not None:
            raise failure
        new_positions: dict[StreamVersion, int] = {}
        for event_to_store in events:
            key = stream_version(event_to_store)
            if key not in self.positions:
                new_positions[key] = self.positions[key] = len(self.positions) + 1
        return new_positions

    def release(self, transactions: int = 1) -> None:
        """Let this many transactions finish."""
        self._released.release(transactions)

    def is_at(self, transaction: int) -> bool:
        """Return whether the transaction with this number is running."""
        return len(self.transactions) == transaction

    def count_waiting(self) -> int:
        """Return how many appends wait for the next transaction."""
        return len(self.group_commit._waiting)  # noqa: SLF001  # the queue has no public accessor


def event(stream: UUID | None = None, version: int = 1) -> StoredEvent:
    return StoredEvent(stream or uuid4(), version, "Something", b"{}")


def stream_version(stored_event: StoredEvent) -> StreamVersion:
    assert isinstance(stored_event.originator_id, UUID)
    return stored_event.originator_id, stored_event.originator_version


def append_during_a_transaction(store: FakeStore, events: Sequence[StoredEvent], transactions: int = 1) -> list[object]:
    """Append `events` while another transaction runs; return the position or error of each."""

    def append(stored_event: StoredEvent) -> object:
        try:
            return store.group_commit.append(stored_event)
        except Exception as error:  # noqa: BLE001  # returned as the outcome
            return error

    with ThreadPoolExecutor(len(events) + 1) as threads:
        first = threads.submit(append, event())
        eventually(lambda: store.is_at(1))
        tasks = []
        for number, stored_event in enumerate(events, start=1):
            tasks.append(threads.submit(append, stored_event))
            eventually(partial(lambda number: store.count_waiting() == number, number))
        store.release(1 + transactions)
        first.result(timeout=20)
        return [task.result(timeout=20) for task in tasks]


def test_single_append_is_committed_at_once() -> None:
    """The transaction holds this one event."""
    store, single_event = FakeStore(), event()
    store.release()
    assert store.group_commit.append(single_event) == 1
    assert store.transactions == [[single_event]]


def test_concurrent_appends_share_a_transaction() -> None:
    """The batch is sorted by stream and version; each caller gets its own position."""
    store, events = FakeStore(), [event() for _ in range(5)]
    positions = append_during_a_transaction(store, events)
    assert [len(transaction) for transaction in store.transactions] == [1, 5]
    assert store.transactions[1] == sorted(events, key=stream_version)
    assert positions == [store.positions[stream_version(stored_event)] for stored_event in events]


def test_appends_beyond_the_batch_size_go_into_the_next_transaction() -> None:
    """The appends that waited longest go first."""
    store, events = FakeStore(), [event() for _ in range(MAX_BATCH + 3)]
    positions = append_during_a_transaction(store, events, transactions=2)
    assert [len(transaction) for transaction in store.transactions] == [1, MAX_BATCH, 3]
    assert positions == [store.positions[stream_version(stored_event)] for stored_event in events]
    assert set(map(stream_version, store.transactions[2])) == set(map(stream_version, events[-3:]))


def test_one_of_two_appends_of_the_same_version_conflicts() -> None:
    """The other append and unrelated events are stored."""
    store, stream = FakeStore(), uuid4()
    outcomes = append_during_a_transaction(store, [event(stream), event(), event(stream)])
    assert [type(outcome) for outcome in outcomes].count(VersionConflict) == 1
    assert sorted(outcome for outcome in outcomes if isinstance(outcome, int)) == [2, 3]


def test_failed_transaction_fails_each_of_its_appends() -> None:
    """Appends of later transactions are unaffected."""
    store = FakeStore({2: StoreUnavailable()})
    outcomes = append_during_a_transaction(store, [event() for _ in range(3)])
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    store.release()
    assert store.group_commit.append(event()) == 2


def test_interrupted_append_does_not_block_waiting_ones() -> None:
    """The interrupted caller does not learn the outcome of its event. Appends that wait are still processed."""
    store = FakeStore({1: KeyboardInterrupt()})
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(store.group_commit.append, event())
        eventually(lambda: store.is_at(1))
        second = threads.submit(store.group_commit.append, event())
        eventually(lambda: store.count_waiting() == 1)
        store.release(2)
        with pytest.raises(KeyboardInterrupt):
            first.result(timeout=20)
        assert second.result(timeout=20) == 1


def test_appends_of_an_interrupted_transaction_are_reported_as_unavailable() -> None:
    store = FakeStore({2: KeyboardInterrupt()})
    with ThreadPoolExecutor(4) as threads:
        tasks = [threads.submit(store.group_commit.append, event())]
        eventually(lambda: store.is_at(1))
        for number in range(1, 4):
            tasks.append(threads.submit(store.group_commit.append, event()))
            eventually(partial(lambda number: store.count_waiting() == number, number))
        store.release(2)
        raised = [type(task.exception(timeout=20)) for task in tasks[1:]]
    assert sorted(error_type.__name__ for error_type in raised) == [
        "KeyboardInterrupt",
        "StoreUnavailable",
        "StoreUnavailable",
    ]


def test_existing_stream_version_does_not_refuse_the_rest_of_the_batch(service: Service, database_url: str) -> None:
    """In the database, too, the other events of the transaction are stored."""
    recorder, existing = Recorder(service.database, lambda: None), event()
    recorder.insert_events([existing])
    new_positions = recorder._append_each([event(), existing, event()])  # noqa: SLF001  # the insert that a group commit uses
    assert len(new_positions) == 2
    assert stream_version(existing) not in new_positions
    positions_by_version = {(row[0], row[1]): row[2] for row in fetch(database_url, POSITIONS)}
    assert new_positions.items() <= positions_by_version.items()
    assert len(positions_by_version) == 3


POSITIONS = "SELECT originator_id, originator_version, notification_id FROM stored_events"


def test_each_stream_version_is_stored_once_by_racing_processes(service: Service, database_url: str) -> None:
    """Exactly one process stores each stream version, however events are batched, and none deadlocks."""
    recorders = [Recorder(service.database, lambda: None) for _ in range(2)]
    streams = [uuid4() for _ in range(6)]

    def race(recorder: Recorder, start: int) -> int:
        wins = 0
        for number in range(120):
            stream, version = streams[(start + number) % len(streams)], number // len(streams) + 1
            try:
                recorder.insert_events([event(stream, version)])
                wins += 1
            except VersionConflict:
                pass
        return wins

    wins_by_task = run_concurrently([partial(race, recorder, start) for start in range(4) for recorder in recorders])
    ((stored,),) = fetch(database_url, "SELECT count(*) FROM stored_events")
    assert all(isinstance(wins, int) for wins in wins_by_task), wins_by_task
    assert sum(wins for wins in wins_by_task if isinstance(wins, int)) == stored >= 120


def test_append_does_not_wait_past_its_own_deadline() -> None:
    """The expired append joins no later transaction; the other appends are stored."""
    store = FakeStore()

    def append_past_the_deadline() -> int:
        with request_deadline(time.monotonic() - 60):
            return store.group_commit.append(event())

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(store.group_commit.append, event())
        eventually(lambda: store.is_at(1))
        late = threads.submit(append_past_the_deadline)
        other = threads.submit(store.group_commit.append, event())
        with pytest.raises(StoreUnavailable):
            late.result(MIN_SECONDS + 20)
        store.release(2)
        assert [first.result(20), other.result(20)] == [1, 2]
    assert [len(events) for events in store.transactions] == [1, 1]
