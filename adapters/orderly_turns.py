"""So many at a time, in the order in which they came: what `threading.Semaphore` does not promise."""

from __future__ import annotations

import threading
from collections import deque


class OrderlyTurns:
    """Turns for so many at once. Whoever ends one hands it to whoever has waited longest: no newcomer takes it."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return len(self._waiting)

    def begin(self, timeout: float) -> bool:
        """Say whether one's turn came within so many seconds."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(timeout):
            return True
        with self._lock:
            if mine.is_set():  # handed over at the last moment
                return True
            self._waiting.remove(mine)
            return False

    def end(self) -> None:
        """Let the next one have the turn."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
