"""The life of a process of this service: it ends on a signal, and a part of it never outlives the whole."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARENT_CHECK_SECONDS = 0.5
ENDING = (signal.SIGINT, signal.SIGTERM)


def stop_on_signals() -> threading.Event:
    """Return what is set when this process is asked to end."""
    stop = threading.Event()
    for number in ENDING:
        signal.signal(number, lambda *_: stop.set())
    return stop


def end_on_signals() -> None:
    """Have signals end this process at once, whatever was inherited: until it has more to do than to start."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


def when_told_to_end(do: Callable[[], object]) -> None:
    """Have something done once this process is asked to end, whoever handles the signal. For the main thread alone."""
    hearing, told = os.pipe()  # for good: signals go on being told
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)

    def listen() -> None:
        while os.read(hearing, 1)[0] not in ENDING:
            pass
        do()

    threading.Thread(target=listen, name="told to end", daemon=True).start()


def end_with(parent: int) -> None:
    """Have this process ask itself to end once that one is no longer its parent, however that went, and when."""

    def watch() -> None:
        never = threading.Event()
        while not never.wait(PARENT_CHECK_SECONDS):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)  # again and again: one that came too early had no effect

    threading.Thread(target=watch, name="parent", daemon=True).start()


def keep_to_a_core(folder: Path) -> None:
    """Have this process run on one core, which no other one has that was given this folder; where that can be had.

    Only one thread of a process runs Python at a time: on several cores they take what they work on from each other's
    caches.
    """
    if not hasattr(os, "sched_setaffinity"):  # other systems than Linux
        return
    for core in sorted(os.sched_getaffinity(0)):
        lock = os.open(folder / f"core-{core}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held until the process ends, however it does
        except BlockingIOError:
            os.close(lock)
            continue
        os.sched_setaffinity(0, {core})
        return
