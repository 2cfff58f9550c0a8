"""Locks by key, which serialize work on one account or person within a process to avoid needless conflicts."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from application.errors import TooBusy
from application.request_deadlines import within_deadline

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

LONGEST_WAIT = 8.0
"""Maximum seconds to wait for a lock, if the database does not respond to its holders."""


class KeyedLocks:
    """A lock for each key that is in use, so that the holder of one key never delays another key."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._lock_by_key: dict[Hashable, threading.Lock] = {}
        self._users_by_key: Counter[Hashable] = Counter()

    @contextmanager
    def hold(self, key: Hashable) -> Iterator[None]:
        """Hold the lock of a key. Raises `TooBusy` after a timeout."""
        with self._guard:
            lock = self._lock_by_key.setdefault(key, threading.Lock())
            self._users_by_key[key] += 1
        try:
            if not lock.acquire(timeout=within_deadline(LONGEST_WAIT)):
                raise TooBusy
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._guard:
                self._users_by_key[key] -= 1
                if not self._users_by_key[key]:
                    del self._users_by_key[key], self._lock_by_key[key]
