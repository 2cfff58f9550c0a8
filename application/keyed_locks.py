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

MAX_WAIT_SECONDS = 8.0
"""Maximum wait for a lock. It is only reached if the database does not respond to the lock's holders."""


class KeyedLocks:
    """A lock for each key that is in use, so that the holder of one key never delays another key."""

    def __init__(self) -> None:
        self._bookkeeping_lock = threading.Lock()
        self._lock_by_key: dict[Hashable, threading.Lock] = {}
        self._thread_count_by_key: Counter[Hashable] = Counter()

    @contextmanager
    def hold(self, key: Hashable) -> Iterator[None]:
        """Hold the lock of a key. Raises `TooBusy` after a timeout."""
        with self._bookkeeping_lock:
            lock = self._lock_by_key.setdefault(key, threading.Lock())
            self._thread_count_by_key[key] += 1
        try:
            if not lock.acquire(timeout=within_deadline(MAX_WAIT_SECONDS)):
                raise TooBusy
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._bookkeeping_lock:
                self._thread_count_by_key[key] -= 1
                if not self._thread_count_by_key[key]:
                    del self._thread_count_by_key[key], self._lock_by_key[key]
