"""Appends of several threads in one transaction: whoever comes while one is under way goes with the next.

A transaction of many events costs the database, and the interpreter, little more than one of a single event; without
it, threads that append at the same time would each have their own. Nobody waits for company: who finds no transaction
under way begins one.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, cast

from application.errors import StoreUnavailable, VersionConflict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from eventsourcing.persistence import StoredEvent

Place = tuple["UUID", int]
"""A stream and a version: where an event stands, and no other can."""

MOST_AT_ONCE = 32
"""As many as there are threads, and more; for each number there is a statement that a connection prepares."""


class _Append:
    """An event on its way, and what became of it."""

    __slots__ = ("error", "event", "leads", "position", "told")

    def __init__(self, event: StoredEvent) -> None:
        self.event = event
        self.position: int | None = None
        self.error: Exception | None = None
        self.leads = False
        self.told = threading.Lock()
        self.told.acquire()

    @property
    def place(self) -> Place:
        """Return where it is to stand."""
        return cast("UUID", self.event.originator_id), self.event.originator_version


class SharedAppends:
    """Appends single events, each of which is written or refused by itself."""

    def __init__(self, append: Callable[[Sequence[StoredEvent]], dict[Place, int]]) -> None:
        """Take what appends events in one transaction, and returns their positions.

        It is to leave out those whose place is taken already. It gets them in the order of their places, so that no two
        transactions wait for each other.
        """
        self._append = append
        self._lock = threading.Lock()
        self._under_way = False
        self._waiting: deque[_Append] = deque()

    def append(self, event: StoredEvent) -> int:
        """Append an event, and return its position. Raises `VersionConflict`, and what the transaction raises."""
        mine = _Append(event)
        with self._lock:
            mine.leads = not self._under_way
            if mine.leads:
                self._under_way = True
            else:
                self._waiting.append(mine)
        if not mine.leads:
            mine.told.acquire()  # what became of it, or that it is its turn to begin a transaction
        if mine.leads:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error
        return cast("int", mine.position)

    def _lead(self, mine: _Append) -> None:
        """Append this one together with all that have come meanwhile, and have another one lead after it."""
        with self._lock:
            others = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE - 1))]
        together = sorted([mine, *others], key=lambda one: one.place)
        try:
            self._write(together)
        finally:
            with self._lock:
                following = self._waiting.popleft() if self._waiting else None
                self._under_way = following is not None
            if following is not None:
                following.leads = True
                following.told.release()
            for one in others:
                one.told.release()

    def _write(self, together: Sequence[_Append]) -> None:
        for one in together:
            one.error = StoreUnavailable()  # unless it is known better
        try:
            positions = self._append([one.event for one in together])
        except Exception as error:  # noqa: BLE001  # everybody gets it whose event it is about
            for one in together:
                one.error = type(error)(*error.args)
                one.error.__cause__ = error
            return
        for one in together:
            one.position = positions.pop(one.place, None)  # where two are for one place, one alone stands there
            one.error = VersionConflict() if one.position is None else None
