"""File locks for starting, stopping and using the server. The kernel releases them when a process dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _open_private_descriptor(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def open_private(path: Path) -> IO[bytes]:
    """Open a file for appending. A new file is readable by its owner only."""
    return open(path, "ab", opener=_open_private_descriptor)


@contextmanager
def exclusive_lock(lock: Path) -> Iterator[None]:
    """Exclude other processes that start or stop this server. All of them have deadlines."""
    with open_private(lock) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Presence:
    """Shared lock that marks this process as a user of the server. Only the last user stops the server."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def enter(self, lock: Path) -> None:
        """Start using the server. Do nothing if this object uses it already."""
        if self._file is None:
            self._file = open_private(lock)
            fcntl.flock(self._file, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Stop using the server. Return whether this was its last user. Must be called inside `exclusive_lock`."""
        if self._file is None:
            return False
        with self._file as file:
            self._file = None
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            # Unlock explicitly: after a mere close, child processes forked in the meantime would keep the lock.
            fcntl.flock(file, fcntl.LOCK_UN)
            return True
