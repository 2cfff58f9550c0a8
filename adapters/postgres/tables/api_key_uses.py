"""Background thread that records the last use of API keys, so that requests do not wait for the write."""

from __future__ import annotations

import queue
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from application.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from application.commands.api_keys import ApiKey

RECORD_INTERVAL = timedelta(minutes=1)
"""The statement `record_use_of_key` has the same limit, across all processes."""

log = structlog.get_logger(__name__)


class ApiKeyUses:
    """Writes the last use of each key at most once a minute. A use that cannot be written is dropped."""

    def __init__(self, record: Callable[[ApiKey, datetime], None]) -> None:
        self._record = record
        self._submitted_at: dict[UUID, datetime] = {}
        self._queue: queue.SimpleQueue[tuple[ApiKey, datetime] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def submit(self, key: ApiKey, now: datetime) -> None:
        """Queue a use for recording, unless one was queued or recorded within the last minute."""
        last_used_at = self._submitted_at.get(key.api_key_id) or key.last_used_at
        if last_used_at is not None and now - last_used_at < RECORD_INTERVAL:
            return
        self._submitted_at[key.api_key_id] = now
        self._queue.put((key, now))
        if self._thread is None:
            self._start()

    def close(self) -> None:
        """Stop after the queued uses have been written."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="API key uses", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (use := self._queue.get()) is not None:
            try:
                self._record(*use)
            except ServiceError as error:
                log.info("api_key.use_not_recorded", code=error.code)
            except Exception:
                log.exception("api_key.use_not_recorded")
