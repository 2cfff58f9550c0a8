"""Heartbeats of the server processes, in memory that they share with their supervisor."""

from __future__ import annotations

import mmap
import time

FIELDS = 3
LOOP, POOL, CONNECTIONS = range(FIELDS)
BYTES_PER_NUMBER = 8
NOT_RUNNING = float("inf")


class Heartbeats:
    """One row of numbers for each process, in memory inherited by fork. Each process writes only its own row."""

    def __init__(self, processes: int) -> None:
        self._numbers = memoryview(mmap.mmap(-1, processes * FIELDS * BYTES_PER_NUMBER)).cast("d")
        self._processes = processes

    def heartbeat_of(self, process: int) -> Heartbeat:
        """Return the row of a process."""
        return Heartbeat(self._numbers, process, self._processes)


class Heartbeat:
    """Row of one process: its last heartbeats and its number of connections."""

    def __init__(self, numbers: memoryview[float], process: int, processes: int) -> None:
        self._numbers = numbers
        self._row = process * FIELDS
        self._others = [other * FIELDS + CONNECTIONS for other in range(processes) if other != process]

    def reset(self) -> None:
        """Reset the row for a process that is about to start."""
        self.beat_loop()
        self.beat_pool()
        self.connections = 0

    def clear(self) -> None:
        """Mark the process as not running, so that others leave it no connections."""
        self._numbers[self._row + CONNECTIONS] = NOT_RUNNING

    def beat_loop(self) -> None:
        """Record that the event loop runs."""
        self._numbers[self._row + LOOP] = time.monotonic()

    def beat_pool(self) -> None:
        """Record that a worker thread took a job."""
        self._numbers[self._row + POOL] = time.monotonic()

    @property
    def loop_beat(self) -> float:
        """When the event loop last ran."""
        return self._numbers[self._row + LOOP]

    @property
    def pool_beat(self) -> float:
        """When a worker thread last took a job."""
        return self._numbers[self._row + POOL]

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return int(self._numbers[self._row + CONNECTIONS])

    @connections.setter
    def connections(self, number: int) -> None:
        self._numbers[self._row + CONNECTIONS] = number

    @property
    def fewest_connections(self) -> float:
        """The number of open connections of the other process that has fewest."""
        return min((self._numbers[other] for other in self._others), default=NOT_RUNNING)
