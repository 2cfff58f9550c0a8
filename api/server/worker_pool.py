"""Bounded thread pools for requests: a fixed number of threads, and a queue with a limit and a deadline."""

from __future__ import annotations

import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = structlog.get_logger(__name__)


class Job:
    """Work for a pool. A worker claims and runs it, or the event loop claims and expires it after its deadline."""

    __slots__ = ("_ticket", "expire", "run", "submitted_at")

    def __init__(self, run: Callable[[], object], expire: Callable[[], object]) -> None:
        self.run = run
        self.expire = expire
        self.submitted_at = time.monotonic()
        self._ticket = [None]

    def claim(self) -> bool:
        """Return whether the caller is the first to claim the job. `list.pop` is atomic."""
        try:
            self._ticket.pop()
        except IndexError:
            return False
        return True

    @property
    def is_claimed(self) -> bool:
        """Whether the job has been claimed."""
        return not self._ticket


class WorkerPool:
    """Threads that run jobs in the order of submission.

    Call its methods from the event loop's thread only.
    """

    def __init__(self, name: str, threads: int, queue_limit: int, queue_seconds: float) -> None:
        self.name = name
        self._queue_limit = queue_limit
        self._queue_seconds = queue_seconds
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        # The unclaimed jobs. While all threads are busy, `_jobs` also has expired ones.
        self._waiting: deque[Job] = deque()
        self._next_call: Callable[[], object] | None = None
        self._started_at = [0.0] * threads
        self._is_ending = False
        for number in range(threads):
            threading.Thread(target=self._work, args=[number], name=f"{name} {number + 1}", daemon=True).start()

    def submit(self, job: Job, *, beyond_limit: bool = False) -> bool:
        """Queue a job, or return False because the queue is full."""
        self._forget_claimed()
        if len(self._waiting) >= self._queue_limit and not beyond_limit:
            return False
        self._waiting.append(job)
        self._jobs.put(job)
        return True

    def expire_overdue(self, now: float) -> int:
        """Expire the jobs that no worker has claimed within the deadline, and return their number."""
        expired = 0
        for job in self._overdue(now):
            if job.claim():
                job.expire()
                expired += 1
        return expired

    def call_next(self, function: Callable[[], object]) -> None:
        """Let the next free worker call a function before any queued job."""
        self._next_call = function
        self._jobs.put(None)  # wakes an idle worker

    def is_stuck(self, now: float, seconds: float) -> bool:
        """Return whether every thread has been running the same job for longer than this."""
        return all(started and now - started > seconds for started in self._started_at)

    def end(self) -> None:
        """End the threads: an idle one at once, a busy one after its job."""
        self._is_ending = True
        for _ in self._started_at:
            self._jobs.put(None)

    def _forget_claimed(self) -> None:
        """Remove claimed jobs from the front of `_waiting`: jobs are claimed in the order of submission."""
        while self._waiting and self._waiting[0].is_claimed:
            self._waiting.popleft()

    def _overdue(self, now: float) -> Iterator[Job]:
        self._forget_claimed()
        while self._waiting and now - self._waiting[0].submitted_at > self._queue_seconds:
            yield self._waiting.popleft()
            self._forget_claimed()

    def _work(self, number: int) -> None:
        started_at = self._started_at
        while not self._is_ending:
            job = self._jobs.get()
            call, self._next_call = self._next_call, None
            if call is not None:
                call()
            if job is not None and job.claim():
                started_at[number] = time.monotonic()
                try:
                    job.run()
                except Exception:  # keeps the thread: a lost one would go unnoticed
                    log.exception("pool.job_failed", pool=self.name)
                started_at[number] = 0.0
