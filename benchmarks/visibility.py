"""Delay until the list of sub-users shows what a command recorded, at 300 commands per second.

The followers run in a process of their own, as in production. The commands, on 200 accounts, and the watcher of the
view run in this process. A delay begins when the command has returned, and ends when the view's position, which is
committed with its rows, is seen to have reached the command's position.
"""

from __future__ import annotations

import bisect
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Self

import psycopg

from api.bootstrap import composition_root
from application.commands.sub_users import SubUserChanges
from benchmarks.lines import Line, median_of
from benchmarks.long_history import OWNER_CONTEXT, create_account
from benchmarks.servers import run_worker, temporary_database

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from benchmarks.lines import Scale
    from benchmarks.long_history import Account

RATE = 300
"""Commands per second."""

ACCOUNTS = 200
THREADS = 16
PROMISED_MS = 50.0
"""Delay of at least 99 of 100 commands."""

MAX_WAIT_SECONDS = 10.0


def measure(scale: Scale) -> list[Line]:
    """Send commands at a fixed rate while watching the view's position."""
    with temporary_database() as settings, run_worker(settings):
        service = composition_root.build(settings)
        accounts = [create_account(service, 2) for _ in range(ACCOUNTS)]
        run_once(service, accounts, 1)  # warm-up: connections, prepared statements, first accounts
        runs = []
        for _ in range(scale.runs):
            p99 = run_once(service, accounts, scale.seconds)
            label = f"event committed → visible in the view, {RATE} commands/s, p99"
            runs.append(Line(label, p99, "ms", "the promise", PROMISED_MS, 1, is_minimum=False))
        service.close()
    return [median_of(runs)]


def run_once(service: Service, accounts: list[Account], seconds: float) -> float:
    """Return the 99th percentile of the delays, in milliseconds."""
    with Watcher(service.settings.database_url or "") as watcher:
        results = send_commands(service, accounts, seconds)
        watcher.wait_for(max(position for position, _ in results))
    delays = sorted(1000 * (watcher.reached_at(position) - returned_at) for position, returned_at in results)
    return delays[int(0.99 * len(delays))]


def send_commands(service: Service, accounts: list[Account], seconds: float) -> list[tuple[int, float]]:
    """Rename one sub-user after another at the fixed rate; return the positions and the times of return."""
    started_at = time.perf_counter()
    numbers = count()
    results: list[tuple[int, float]] = []

    def run(_: int) -> None:
        while (number := next(numbers)) < RATE * seconds:
            time.sleep(max(0.0, started_at + number / RATE - time.perf_counter()))
            account = accounts[number % len(accounts)]
            changes = SubUserChanges(name=f"Grace {number} {started_at}")
            position = service.commands.sub_users.change(
                account.account_id, account.sub_user_id, changes, OWNER_CONTEXT
            ).position
            results.append((position or 0, time.perf_counter()))

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(run, range(THREADS)))
    return results


class Watcher:
    """Records in a thread when the view reaches each position, reading it about once a millisecond."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._positions = [0]
        self._times = [time.perf_counter()]
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for(self, position: int) -> None:
        """Wait until the view reaches a position. Raises TimeoutError."""
        deadline = time.perf_counter() + MAX_WAIT_SECONDS
        while self._positions[-1] < position:
            if time.perf_counter() > deadline:
                raise TimeoutError
            time.sleep(0.01)

    def reached_at(self, position: int) -> float:
        """Return the time at which the view was first seen to have reached a position."""
        return self._times[bisect.bisect_left(self._positions, position)]

    def _watch(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stop.is_set():
                row = connection.execute("SELECT position FROM followers WHERE name = 'sub-users'").fetchone()
                if row is not None and row[0] > self._positions[-1]:
                    self._times.append(time.perf_counter())
                    self._positions.append(row[0])
                time.sleep(0.001)
