"""Turns for what keeps a core busy: one a core at a time, over all server processes together."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from application.errors import TooBusy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LOOK_AGAIN = 0.001
"""Seconds between two looks at whether another process has finished: little beside the 20 ms that a hash takes."""


class HashingTurns:
    """So many turns as there are cores: locks on files in a folder that processes share, or none but one's own.

    A lock on a file ends with the process that has it, however that ends. One of each process is in the queue of all,
    and one of those looks for a core that is free: turns come in about the order in which they were asked for.
    """

    def __init__(self, cores: int, shared: Path | None) -> None:
        self._own = threading.BoundedSemaphore(cores if shared is None else 1)
        self._queue = shared / "hashing" if shared is not None else None
        self._cores = [shared / f"hashing-{number}" for number in range(cores)] if shared is not None else []

    @contextmanager
    def one(self, patience: float) -> Iterator[None]:
        """Hold a turn. Raises `TooBusy` after so many seconds."""
        deadline = time.monotonic() + patience
        if not self._own.acquire(timeout=patience):
            raise TooBusy
        with ExitStack() as own:
            own.callback(self._own.release)
            if self._queue is None:
                yield
                return
            core = _one_of(self._cores, self._queue, deadline)
        try:
            yield
        finally:
            os.close(core)  # and with it the lock goes


def _one_of(cores: Sequence[Path], queue: Path, deadline: float) -> int:
    """Return a file that is locked, once it is this process's turn and there is one. Raises `TooBusy`."""
    first = _opened(queue)
    try:
        fcntl.flock(first, fcntl.LOCK_EX)
        while time.monotonic() <= deadline:
            for file in cores:
                descriptor = _opened(file)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(descriptor)
                else:
                    return descriptor
            time.sleep(LOOK_AGAIN)
    finally:
        os.close(first)
    raise TooBusy


def _opened(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
