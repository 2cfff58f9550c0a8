"""Pacing of mails to a mail server with a rate limit."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

NO_PAUSE = timedelta(0)
MIN_PAUSE = timedelta(seconds=1)
MAX_PAUSE = timedelta(minutes=1)


class MailPacing:
    """Pause between mails, doubled by each rate-limit reply and halved by each accepted mail."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pause = NO_PAUSE
        self._next_at: datetime | None = None

    def try_to_start(self, now: datetime) -> bool:
        """Return whether a mail may be sent now. If so, the pause until the next one begins."""
        with self._lock:
            # If the wait is longer than any pause, the clock was set back.
            if self._next_at is not None and now < self._next_at <= now + MAX_PAUSE:
                return False
            self._next_at = now + self._pause
            return True

    def slow_down(self, now: datetime) -> None:
        """Double the pause after a rate-limit reply."""
        with self._lock:
            self._pause = min(max(2 * self._pause, MIN_PAUSE), MAX_PAUSE)
            self._next_at = now + self._pause

    def speed_up(self) -> None:
        """Halve the pause after an accepted mail."""
        with self._lock:
            self._pause = self._pause / 2 if self._pause > MIN_PAUSE else NO_PAUSE
