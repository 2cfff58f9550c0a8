"""Jobs that go on until they are told to stop."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def at_work(*jobs: Callable[[threading.Event], None]) -> Iterator[None]:
    """Have these jobs go on meanwhile, each in a thread of its own."""
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
