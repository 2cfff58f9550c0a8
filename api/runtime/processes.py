"""Process management: signals, child processes that end with their parent, and pinning to cores."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHUTDOWN_SIGNALS = (signal.SIGINT, signal.SIGTERM)
HANDLED_SIGNALS = (*SHUTDOWN_SIGNALS, signal.SIGCHLD)
PARENT_CHECK_SECONDS = 0.2
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
MAX_NAME_LENGTH = 15
"""Constants and limit of prctl(2)."""

IS_LINUX = sys.platform == "linux"

# Loaded before any fork, so that no child has to load it.
_libc = ctypes.CDLL(None, use_errno=True) if IS_LINUX else None


class SignalPipe:
    """Signals as bytes in a pipe, for a main loop to read.

    Python's C-level handler writes them. A handler in Python must only return: it interrupts the main thread
    anywhere, even while that thread holds a lock that the handler would need.
    """

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in HANDLED_SIGNALS:
            signal.signal(number, _ignore)
        self.shutdown_requested = False

    def wait(self, seconds: float) -> bool:
        """Wait up to this long for a signal, and return whether this process has been asked to end."""
        if not self.shutdown_requested:
            select.select([self._reader], [], [], seconds)
        self._read()
        return self.shutdown_requested

    def _read(self) -> None:
        try:
            received = os.read(self._reader, 4096)
        except BlockingIOError:
            return
        if any(number in SHUTDOWN_SIGNALS for number in received):
            self.shutdown_requested = True


def stop_on_signals() -> threading.Event:
    """Return an event that a separate thread sets when this process is asked to end."""
    stop = threading.Event()
    signals = SignalPipe()

    def listen() -> None:
        while not signals.wait(3600.0):
            pass
        stop.set()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    return stop


def fork(name: str, run: Callable[[], int]) -> int:
    """Run a function in a child that ends with this process, and return the child's process id.

    The caller must have no other threads. The child starts with default signal handlers; signals are blocked until it
    has them, so that none is lost.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    signal_mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    pid = os.fork()
    if pid == 0:
        _run_child(name, run, parent, signal_mask)
    signal.pthread_sigmask(signal.SIG_SETMASK, signal_mask)
    return pid


def exit_with_parent(parent: int) -> None:
    """Let the system kill this process as soon as its parent ends for any reason."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    else:
        threading.Thread(target=_watch_parent, args=[parent], name="parent", daemon=True).start()
    if os.getppid() != parent:  # the parent ended before the kernel watched it
        os.kill(os.getpid(), signal.SIGKILL)


def set_process_name(name: str) -> None:
    """Set the name of this process for `ps` and `top`, on Linux only."""
    if _libc is not None:
        _libc.prctl(PR_SET_NAME, name[:MAX_NAME_LENGTH].encode(), 0, 0, 0)


def pin_to_core(lock_folder: Path) -> None:
    """Pin this process to a core that no other process with the same lock folder uses, if there is one.

    Because of the GIL, only one thread of a process runs Python at a time. On several cores the threads would
    invalidate each other's CPU caches: the ratio of the line "introspect" in docs/performance.md falls from 0.62 to
    0.58.
    """
    if not hasattr(os, "sched_setaffinity"):  # only Linux has it
        return
    for core in sorted(os.sched_getaffinity(0)):
        lock = os.open(lock_folder / f"core-{core}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock is held until the process ends
        except BlockingIOError:
            os.close(lock)
            continue
        os.sched_setaffinity(0, {core})
        return


def _run_child(name: str, run: Callable[[], int], parent: int, signal_mask: set[int | signal.Signals]) -> None:
    """Run a function, and exit without returning to the parent's code."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in HANDLED_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        exit_with_parent(parent)
        os.setsid()  # Ctrl-C on the terminal reaches the child through its parent, in order
        with open(os.devnull, "rb") as null_device:  # noqa: PTH123  # only the descriptor is needed
            os.dup2(null_device.fileno(), 0)
        set_process_name(name)
        signal.pthread_sigmask(signal.SIG_SETMASK, signal_mask)
        code = run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  # the child must never continue the parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _ignore(*_: object) -> None:
    """Do nothing: the wake-up descriptor has received the signal."""
