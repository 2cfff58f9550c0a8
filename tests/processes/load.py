"""Load generator: threads that send requests over their own connections, and record results and durations."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.processes.deployment import Deployment
    from tests.processes.portal import Portal, SubUserHandle

TIMEOUT_SECONDS = 60.0
"""Far beyond every deadline of the server: a shorter timeout would hide a late response."""

REFUSAL_PAUSE_SECONDS = 0.2
PROBE_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Result:
    """Outcome of a request; the status is 0 if there was no response."""

    status: int
    began_at: float
    seconds: float
    position: int | None = None


@dataclass
class Client:
    """Client that sends requests sequentially and records their results."""

    port: int
    headers: dict[str, str]
    results: list[Result] = field(default_factory=list)
    _connection: HTTPConnection | None = None

    def send(self, method: str, path: str, body: Any = None) -> Result:
        """Send a request; record and return its result."""
        began = time.monotonic()
        status, position = 0, None
        connection = self._connection or HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        self._connection = connection
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, self.headers)
            response = connection.getresponse()
            response.read()
            status, text = response.status, response.headers.get("Event-Position")
            position = int(text) if text is not None else None
        except (OSError, HTTPException):
            connection.close()
            self._connection = None
        result = Result(status, began, time.monotonic() - began, position)
        self.results.append(result)
        return result

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Load:
    """Writers, each with its own sub-user, and probes of critical requests."""

    def __init__(self, deployment: Deployment, portal: Portal, sub_users: Sequence[SubUserHandle], token: str) -> None:
        headers = {"Authorization": portal.headers["Authorization"], "Content-Type": "application/json"}
        self.writers = [Client(deployment.port, headers) for _ in sub_users]
        self.introspection, self.health, self.readiness = (Client(deployment.port, headers) for _ in range(3))
        self._stop = threading.Event()
        self._sub_users = sub_users
        self._token = token

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send requests for the duration of the block; on exit, wait for those in flight."""
        jobs: list[Callable[[], None]] = [
            *(partial(self._write, *pair) for pair in zip(self.writers, self._sub_users, strict=True)),
            partial(self._probe, self.introspection, "POST", "/v1/sessions/introspect", {"token": self._token}),
            partial(self._probe, self.health, "GET", "/healthz"),
            partial(self._probe, self.readiness, "GET", "/readyz"),
        ]
        threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def results_since(self, moment: float) -> list[Result]:
        """Return the results of the writers' requests sent since `moment` (`time.monotonic()`)."""
        return [result for client in self.writers for result in tuple(client.results) if result.began_at >= moment]

    @property
    def acknowledged_results(self) -> list[Result]:
        """The results of the writers' successful requests."""
        return [result for result in self.results_since(0) if result.status == 200]

    def _write(self, client: Client, sub_user: SubUserHandle) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            result = client.send("PATCH", sub_user.path, {"name": f"Grace {number}"})
            if result.status != 200:
                self._stop.wait(REFUSAL_PAUSE_SECONDS)
        client.close()

    def _probe(self, client: Client, method: str, path: str, body: Any = None) -> None:
        while not self._stop.is_set():
            client.send(method, path, body)
            self._stop.wait(PROBE_PAUSE_SECONDS)
        client.close()


def create_sub_users(portal: Portal, accounts: int, per_account: int) -> list[SubUserHandle]:
    """Create accounts with `per_account` sub-users each; return all sub-users."""
    companies = [portal.register() for _ in range(accounts)]
    return [company.add() for company in companies for _ in range(per_account)]


def in_flight_between(results: Sequence[Result], began_at: float, ended_at: float) -> list[Result]:
    """Return the results of requests that were in flight at any time within an interval."""
    return [
        result for result in results if result.began_at + result.seconds >= began_at and result.began_at <= ended_at
    ]


def max_seconds(results: Sequence[Result]) -> float:
    """Return the longest duration, 0 if there are no results."""
    return max((result.seconds for result in results), default=0.0)
