"""Background jobs for tests."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def running_jobs(*jobs: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run each job in its own thread for the duration of the block; the event tells them to stop."""
    stop = threading.Event()
    threads = [threading.Thread(target=job, args=[stop]) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
