"""Followers of a service in threads, for tests and measurements within one process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.bootstrap.service import Service


@contextmanager
def running_followers(service: Service) -> Iterator[None]:
    """Run a service's followers for the duration of the block."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=follower.run, args=[stop], name=follower.view.name)
        for follower in service.workers.followers
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        service.signals.signal()  # wakes them, so that they see `stop`
        for thread in threads:
            thread.join()
