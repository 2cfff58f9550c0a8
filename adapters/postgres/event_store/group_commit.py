"""Group commit: single-event appends of concurrent threads share one transaction.

If no transaction is running, a thread commits its event at once; it does not wait for others. Threads that arrive
while a transaction is running queue up. When that transaction ends, the first of them becomes the leader and commits
the queued events in the next one. A transaction of many events costs the database and the interpreter little more
than one with a single event.

The line "appends, 4 processes of 8 threads" of docs/performance.md needs it: without it the ratio falls from 1.12 to
0.37, below its bar of 0.5.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from application.errors import StoreUnavailable, VersionConflict
from application.request_deadlines import within_deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from eventsourcing.persistence import StoredEvent

MAX_WAIT_SECONDS = 60.0
"""Limit of the wait for other threads' transactions. An earlier deadline of the request takes precedence."""

StreamVersion = tuple["UUID", int]
"""Stream id and version of an event, the primary key of `stored_events`."""

MAX_BATCH = 32
"""Events per transaction: at least the number of threads. Each batch size is a separate prepared statement."""


class _PendingAppend:
    """An event to append, and the result once its transaction has ended."""

    __slots__ = ("error", "event", "is_leader", "position", "wake_up")

    def __init__(self, event: StoredEvent) -> None:
        self.event = event
        self.position: int | None = None
        self.error: Exception | None = None
        self.is_leader = False
        self.wake_up = threading.Lock()  # released when the result is set, or when this append becomes the leader
        self.wake_up.acquire()

    @property
    def stream_version(self) -> StreamVersion:
        return cast("UUID", self.event.originator_id), self.event.originator_version


class GroupCommit:
    """Appends single events in shared transactions. Each event is appended or refused independently."""

    def __init__(self, append: Callable[[Sequence[StoredEvent]], dict[StreamVersion, int]]) -> None:
        """`append` stores a batch in one transaction, and returns the positions by stream and version.

        It must skip an event whose version exists, or whose previous version is missing. It receives the events sorted
        by stream and version, so that transactions lock rows in the same order and cannot deadlock.
        """
        self._append = append
        self._lock = threading.Lock()
        self._is_committing = False
        self._waiting: deque[_PendingAppend] = deque()

    def append(self, event: StoredEvent) -> int:
        """Append an event, and return its position. Raises `VersionConflict`, and any error of the transaction."""
        pending = _PendingAppend(event)
        with self._lock:
            pending.is_leader = not self._is_committing
            if pending.is_leader:
                self._is_committing = True
            else:
                self._waiting.append(pending)
        if not pending.is_leader and not pending.wake_up.acquire(timeout=within_deadline(MAX_WAIT_SECONDS)):
            self._give_up(pending)
        if pending.is_leader:
            self._lead(pending)
        if pending.error is not None:
            raise pending.error
        return cast("int", pending.position)

    def _give_up(self, pending: _PendingAppend) -> None:
        """Leave the queue and raise `StoreUnavailable`, unless this append has just become the leader.

        If its transaction is running already, the event may still be stored, as after any database deadline.
        """
        with self._lock:
            if pending.is_leader:
                return
            with suppress(ValueError):
                self._waiting.remove(pending)
        raise StoreUnavailable

    def _lead(self, leader: _PendingAppend) -> None:
        """Append the leader's event and the queued ones, then make the next queued append the leader."""
        with self._lock:
            others = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH - 1))]
        batch = sorted([leader, *others], key=lambda pending: pending.stream_version)
        try:
            self._write(batch)
        finally:
            with self._lock:
                next_leader = self._waiting.popleft() if self._waiting else None
                self._is_committing = next_leader is not None
                if next_leader is not None:
                    next_leader.is_leader = True
                    next_leader.wake_up.release()
            for pending in others:
                pending.wake_up.release()

    def _write(self, batch: Sequence[_PendingAppend]) -> None:
        for pending in batch:
            pending.error = StoreUnavailable()  # stays if the append is interrupted, for example by KeyboardInterrupt
        try:
            positions = self._append([pending.event for pending in batch])
        except Exception as error:  # noqa: BLE001  # every thread of the batch gets the error
            for pending in batch:
                pending.error = type(error)(*error.args)
                pending.error.__cause__ = error
            return
        for pending in batch:
            # `pop`: of two events in this batch with the same version, only one was stored.
            pending.position = positions.pop(pending.stream_version, None)
            pending.error = VersionConflict() if pending.position is None else None
