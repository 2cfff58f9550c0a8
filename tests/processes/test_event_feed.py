"""The feed of a real server: no reader misses an event, and a stream holds up nobody who wants to end it."""

from __future__ import annotations

import base64
import json
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx
import pytest
from eventsourcing.persistence import StoredEvent

from adapters.postgres.recorder import APPENDING
from application.errors import VersionConflict
from tests.postgres import ask, connect
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from tests.processes.deployment import Deployment

WRITERS, READERS = 16, 8
STREAMS = str(2 * READERS)
STATE = json.dumps({"timestamp": "2026-01-01T00:00:00+00:00", "actor_type": "system", "sub_user_id": str(UUID(int=1))})
INSERT = "INSERT INTO stored_events VALUES (gen_random_uuid(), 1, 'SubUserDeleted', %s)"
SLOW = "SELECT pg_sleep(0.01)"
"""What a slow writer does between drawing a position and committing."""

SECONDS = [3, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(300)])]


def write(service: Service, until: float) -> None:
    """Record events until that time: one and several at once, some after all not, as when two commands collide."""
    taken = StoredEvent(uuid4(), 1, "SubUserDeleted", STATE.encode())
    service.main_accounts.recorder.insert_events([taken])
    while time.monotonic() < until:
        new = [StoredEvent(uuid4(), 1, "SubUserDeleted", STATE.encode()) for _ in range(random.randint(1, 5))]
        with suppress(VersionConflict):
            service.main_accounts.recorder.insert_events([*new, taken] if random.random() < 0.3 else new)


def write_slowly(url: str, until: float) -> None:
    """Record events until that time, each long under way, every other one in vain."""
    with connect(url) as connection:
        while time.monotonic() < until:
            with connection.transaction(force_rollback=random.random() < 0.5):
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [APPENDING])
                connection.execute(INSERT, [STATE.encode()])
                connection.execute(SLOW)


class Readers:
    """Read the feed of a server from the beginning, half of them as a stream, until told where the end is."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self.end = 0
        self.over = threading.Event()

    def read_pages(self) -> list[int]:
        positions: list[int] = []
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=30) as client:
            after = 0
            while not self._is_done(positions):
                query = {"after": after, "limit": random.randint(1, 1000), "wait": 0.5}
                page = client.get("/v1/events", params=query).raise_for_status().json()
                positions += [item["position"] for item in page["items"]]
                after = page["next_after"]
        return positions

    def read_streams(self) -> list[int]:
        """Come back every few hundred events, as a reader that is cut off does."""
        positions: list[int] = []
        while not self._is_done(positions):
            self._read_stream(positions)
        return positions

    def _read_stream(self, positions: list[int]) -> None:
        enough = len(positions) + 500
        headers = {**self._headers, "Last-Event-ID": str(positions[-1] if positions else 0)}
        with httpx.stream("GET", f"{self._url}/v1/events/stream", headers=headers, timeout=30) as answer:
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # those who left still have their places
                return
            assert answer.status_code == httpx.codes.OK
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    positions.append(json.loads(line.removeprefix("data: "))["position"])
                if self._is_done(positions) or len(positions) >= enough:
                    return

    def _is_done(self, positions: list[int]) -> bool:
        return self.over.is_set() or (self.end > 0 and bool(positions) and positions[-1] >= self.end)


@pytest.mark.parametrize("seconds", SECONDS)
def test_no_reader_misses_an_event(
    deploy: Callable[..., Deployment], service: Service, database_url: str, seconds: float
) -> None:
    """16 write, some slowly, some in vain; 8 read: each has every event, once, in the order of positions."""
    deployment = deploy(streams=STREAMS, master_key=as_setting(service))
    api_key = deployment.api_key("analytics")
    deployment.serve("api")
    readers = Readers(deployment.url, api_key)
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(WRITERS + READERS) as threads:
        try:
            reads = [
                threads.submit(read) for read in (readers.read_pages, readers.read_streams) for _ in range(READERS // 2)
            ]
            writes = [threads.submit(write, service, until) for _ in range(WRITERS - 4)]
            writes += [threads.submit(write_slowly, database_url, until) for _ in range(4)]
            for one in writes:
                one.result()
            # The last event may have come in vain: one more that did not tells where to stop.
            ask(database_url, INSERT, STATE.encode())
            stored = [row[0] for row in ask(database_url, "SELECT notification_id FROM stored_events ORDER BY 1")]
            readers.end = stored[-1]
            found = [one.result(60) for one in reads]
        finally:
            readers.over.set()
    assert len(stored) > 100
    assert len(stored) < stored[-1], "nothing was rolled back"
    for positions in found:
        assert positions == stored


def test_a_stream_does_not_hold_up_the_end(deploy: Callable[..., Deployment], service: Service) -> None:
    """Asked to end, the server lets its readers go, and is gone long before it would be killed."""
    deployment = deploy(master_key=as_setting(service), processes="1")
    headers = {"Authorization": f"Bearer {deployment.api_key('analytics')}"}
    (program,) = deployment.serve("api")
    with httpx.stream("GET", f"{deployment.url}/v1/events/stream", headers=headers, timeout=30) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        began = time.monotonic()
        program.process.send_signal(signal.SIGTERM)
        assert set(lines) <= {":"}  # to its end, as HTTP has it
        assert program.wait() == 0
        assert time.monotonic() - began < 8


def test_a_reader_that_goes_makes_room(deploy: Callable[..., Deployment], service: Service) -> None:
    """Soon, though there is nothing to tell; until then others are told to try again."""
    deployment = deploy(streams="1", processes="1", master_key=as_setting(service))
    headers = {"Authorization": f"Bearer {deployment.api_key('analytics')}"}
    deployment.serve("api")
    with httpx.Client(base_url=deployment.url, headers=headers, timeout=30) as client:
        for _ in range(3):
            with client.stream("GET", "/v1/events/stream") as first:
                lines = first.iter_lines()  # held on to: httpx hangs up once nobody holds it
                assert next(lines) == "retry: 2000"
                with client.stream("GET", "/v1/events/stream") as second:
                    assert (second.status_code, second.headers["Retry-After"]) == (503, "5")
            eventually(lambda: client.get("/v1/events", params={"wait": 0.01}).status_code == 200)


def as_setting(service: Service) -> str:
    """Return a service's master key as the setting has it."""
    return base64.b64encode(service.settings.master_keys[0]).decode()
