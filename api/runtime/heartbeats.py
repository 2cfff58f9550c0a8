"""Heartbeats of the server processes, in memory that they share with their supervisor."""

from __future__ import annotations

import mmap
import time

FIELDS = 3
LOOP, POOL, CONNECTIONS = range(FIELDS)
BYTES_PER_NUMBER = 8
NOT_RUNNING = float("inf")


class Heartbeats:
    """One row of numbers for each server process, in memory inherited by fork. A process writes only its own row."""

    def __init__(self, processes: int) -> None:
        self._numbers = memoryview(mmap.mmap(-1, processes * FIELDS * BYTES_PER_NUMBER)).cast("d")
        self._processes = processes

    def heartbeat_of(self, index: int) -> Heartbeat:
        """Return the row of a process. Processes are numbered from 0."""
        return Heartbeat(self._numbers, index, self._processes)


class Heartbeat:
    """Row of one process: its last heartbeats and its number of connections."""

    def __init__(self, numbers: memoryview[float], index: int, processes: int) -> None:
        self._numbers = numbers
        self._row = index * FIELDS
        self._others = [other * FIELDS + CONNECTIONS for other in range(processes) if other != index]

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
        """`time.monotonic()` when the event loop last ran. All processes have the same clock."""
        return self._numbers[self._row + LOOP]

    @property
    def pool_beat(self) -> float:
        """`time.monotonic()` when a worker thread last took a job."""
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
        """The lowest number of open connections in another process; infinite without other processes."""
        return min((self._numbers[other] for other in self._others), default=NOT_RUNNING)
