"""Turns for what keeps a core busy: one a core at a time, over all server processes together."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from application.errors import TooBusy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOK_AGAIN = 0.001
"""Seconds between two looks at whether another process has finished: little beside the 20 ms that a hash takes."""


class HashingTurns:
    """So many turns as there are cores: locks on files in a folder that processes share, or none but one's own.

    A lock on a file ends with the process that has it, however that ends. Within a process those who wait do so
    without looking at files, but for as many as there are cores.
    """

    def __init__(self, cores: int, shared: Path | None) -> None:
        self._own = threading.BoundedSemaphore(cores)
        self._files = [shared / f"hashing-{number}" for number in range(cores)] if shared is not None else []

    @contextmanager
    def one(self, patience: float) -> Iterator[None]:
        """Hold a turn. Raises `TooBusy` after so many seconds."""
        deadline = time.monotonic() + patience
        if not self._own.acquire(timeout=patience):
            raise TooBusy
        try:
            descriptor = self._locked(deadline)
            try:
                yield
            finally:
                if descriptor is not None:
                    os.close(descriptor)  # and with it the lock goes
        finally:
            self._own.release()

    def _locked(self, deadline: float) -> int | None:
        """Return a file that is locked, None where nothing is shared."""
        while self._files:
            for file in self._files:
                descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(descriptor)
                else:
                    return descriptor
            if time.monotonic() > deadline:
                raise TooBusy
            time.sleep(LOOK_AGAIN)
        return None
