"""The life of a process of this service: it ends on a signal, and a part of it never outlives the whole."""

from __future__ import annotations

import os
import signal
import threading

PARENT_CHECK_SECONDS = 0.5


def stop_on_signals() -> threading.Event:
    """Return what is set when this process is asked to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def end_with(parent: int) -> None:
    """Have this process ask itself to end once that one is no longer its parent, however that went, and when."""

    def watch() -> None:
        gone = threading.Event()
        while os.getppid() == parent:
            gone.wait(PARENT_CHECK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
