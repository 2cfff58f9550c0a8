"""Who may start or stop the server, and who still uses it: file locks, which the kernel drops when a process dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def open_private(path: Path) -> IO[bytes]:
    """Open a file for appending; nobody else can read it if this creates it."""
    return open(path, "ab", opener=_private)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait for every other process that starts or stops this server. All of them have deadlines of their own."""
    with open_private(lock) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Presence:
    """A mark that this object uses the server, so that the last user stops it and no other does."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def enter(self, lock: Path) -> None:
        """Begin to use the server; nothing changes if we do already."""
        if self._file is None:
            self._file = open_private(lock)
            fcntl.flock(self._file, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Stop using the server; tell whether we were the last to use it. Only to be called `alone`."""
        if self._file is None:
            return False
        with self._file as file:
            self._file = None
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            # Said aloud: closing alone would leave the lock with processes forked meanwhile.
            fcntl.flock(file, fcntl.LOCK_UN)
            return True
