"""How soon the list of sub-users shows what a command has recorded, while 300 commands a second come in.

Followers run in a process of their own, as they do; the commands, on 200 accounts, and whoever looks at the view run
here. A command's wait begins when it has been answered, and ends when the view's position, which is committed with its
rows, has been seen to have reached it.
"""

from __future__ import annotations

import bisect
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Self

import psycopg

from api import bootstrap
from application.sub_users import SubUserChanges
from benchmarks.lines import Line, median_of
from benchmarks.long_history import ORIGIN, make, ready_settings
from benchmarks.servers import work

if TYPE_CHECKING:
    from api.bootstrap import Service
    from benchmarks.lines import Scale
    from benchmarks.long_history import Account

RATE = 300
"""Commands a second."""

ACCOUNTS = 200
THREADS = 16
PROMISE = 50.0
"""Milliseconds, for 99 of 100 commands."""

LONGEST_WAIT = 10.0


def measure(scale: Scale) -> list[Line]:
    """Send commands at their rate, and look at the view all the while."""
    with ready_settings() as settings, work(settings):
        service = bootstrap.build(settings)
        accounts = [make(service, 2) for _ in range(ACCOUNTS)]
        of_run(service, accounts, 1)  # connections, prepared statements and first accounts
        runs = []
        for _ in range(scale.runs):
            worst = of_run(service, accounts, scale.seconds)
            what = f"event committed → visible in the view, {RATE} commands/s, p99"
            runs.append(Line(what, worst, "ms", "the promise", PROMISE, 1, at_least=False))
        service.close()
    return [median_of(runs)]


def of_run(service: Service, accounts: list[Account], seconds: float) -> float:
    """Return the 99th percentile of the waits, in milliseconds."""
    with Watcher(service.settings.database_url or "") as watcher:
        answered = commands(service, accounts, seconds)
        watcher.wait_for(max(position for position, _ in answered))
    waits = sorted(1000 * (watcher.seen(position) - at) for position, at in answered)
    return waits[int(0.99 * len(waits))]


def commands(service: Service, accounts: list[Account], seconds: float) -> list[tuple[int, float]]:
    """Rename one sub-user after the other, each when it is due; return the positions, and when they were answered."""
    began = time.perf_counter()
    numbers = count()
    answered: list[tuple[int, float]] = []

    def run(_: int) -> None:
        while (number := next(numbers)) < RATE * seconds:
            time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            one = accounts[number % len(accounts)]
            changes = SubUserChanges(name=f"Grace {number} {began}")
            position = service.sub_users.change(one.account_id, one.sub_user_id, changes, ORIGIN).position
            answered.append((position or 0, time.perf_counter()))

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(run, range(THREADS)))
    return answered


class Watcher:
    """Looks at the view's position, every millisecond or so, in a thread of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self._positions = [0]
        self._times = [time.perf_counter()]
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wait_for(self, position: int) -> None:
        """Wait until the view has come there. Raises TimeoutError."""
        until = time.perf_counter() + LONGEST_WAIT
        while self._positions[-1] < position:
            if time.perf_counter() > until:
                raise TimeoutError
            time.sleep(0.01)

    def seen(self, position: int) -> float:
        """Return when the view was first seen to have it."""
        return self._times[bisect.bisect_left(self._positions, position)]

    def _watch(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.is_set():
                row = connection.execute("SELECT position FROM followers WHERE name = 'sub-users'").fetchone()
                if row is not None and row[0] > self._positions[-1]:
                    self._times.append(time.perf_counter())
                    self._positions.append(row[0])
                time.sleep(0.001)
