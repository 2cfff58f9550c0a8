"""Event feed of a running server: no reader misses an event, and streams do not delay shutdown."""

from __future__ import annotations

import base64
import json
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx
import pytest
from eventsourcing.persistence import StoredEvent

from application.errors import VersionConflict
from tests.postgres import fetch
from tests.processes.portal import NO_AUTHORITIES
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.processes.deployment import Deployment

WRITERS, READERS = 16, 8
MAX_STREAMS = 2 * READERS
"""More than there are readers: a stream that was just closed still counts."""

STATE = {"timestamp": "2026-01-01T00:00:00+00:00", "actor_type": "system", "sub_user_id": str(UUID(int=1))}
SLOW_INSERTS = """
CREATE FUNCTION delay_slow_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(random() * 0.02);
    RETURN new;
END $$;
CREATE TRIGGER delay_slow_event BEFORE INSERT ON stored_events FOR EACH ROW
WHEN (position('"slow"' IN convert_from(new.state, 'UTF8')) > 0) EXECUTE FUNCTION delay_slow_event();
"""
"""Trigger that delays the insert of marked events after their position has been assigned."""

TIMES = [20, pytest.param(600, marks=[pytest.mark.long, pytest.mark.timeout(900)])]


def new_event() -> StoredEvent:
    """Return an event in its own stream; one in eight is slow to insert."""
    slow = {"slow": True} if random.random() < 1 / 8 else {}
    return StoredEvent(uuid4(), 1, "SubUserDeleted", json.dumps({**STATE, **slow}).encode())


def write(service: Service, times: int) -> None:
    """Insert one to five events `times` times. Some of these transactions are rolled back by a version conflict."""
    recorder, conflicting = service.main_accounts.recorder, new_event()
    recorder.insert_events([conflicting])
    for _ in range(times):
        new_events = [new_event() for _ in range(random.randint(1, 5))]
        with suppress(VersionConflict):
            recorder.insert_events([*new_events, conflicting] if random.random() < 0.3 else new_events)


class Readers:
    """Readers of the whole feed, half of them over streams. They stop at the position `end` once it is set."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self.positions_by_reader: list[list[int]] = [[] for _ in range(READERS)]
        self.end = 0
        self.stopped = threading.Event()

    def run(self, number: int) -> None:
        """Read as the reader with this number."""
        (self._read_pages if number % 2 else self._read_streams)(self.positions_by_reader[number])

    def _read_pages(self, positions: list[int]) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60, verify=NO_AUTHORITIES) as client:
            after = 0
            while not self._is_done(positions):
                query = {"after": after, "limit": random.randint(1, 1000), "wait": 0.5}
                page = client.get("/v1/events", params=query).raise_for_status().json()
                positions += [item["position"] for item in page["items"]]
                after = page["next_after"]

    def _read_streams(self, positions: list[int]) -> None:
        """Reconnect every few hundred events, like a reader whose connection is lost."""
        while not self._is_done(positions):
            self._read_stream(positions)

    def _read_stream(self, positions: list[int]) -> None:
        target = len(positions) + 500
        headers = {**self._headers, "Last-Event-ID": str(positions[-1] if positions else 0)}
        with httpx.stream(
            "GET", f"{self._url}/v1/events/stream", headers=headers, timeout=60, verify=NO_AUTHORITIES
        ) as response:
            if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # a stream that was just closed still counts
                return
            assert response.status_code == httpx.codes.OK
            for line in response.iter_lines():
                if line.startswith("data: "):
                    positions.append(json.loads(line.removeprefix("data: "))["position"])
                if self._is_done(positions) or len(positions) >= target:
                    return

    def _is_done(self, positions: list[int]) -> bool:
        return self.stopped.is_set() or (self.end > 0 and bool(positions) and positions[-1] >= self.end)


@pytest.mark.parametrize("times", TIMES)
def test_no_reader_misses_an_event(
    deploy: Callable[..., Deployment], build: Callable[..., Service], database_url: str, times: int
) -> None:
    """With 16 writers, some slow or rolled back, each of 8 readers gets every event once, in order of position."""
    fetch(database_url, SLOW_INSERTS)
    services = build(), build()
    deployment = deploy(max_streams=str(MAX_STREAMS), master_key=master_key_setting(services[0]))
    readers = Readers(deployment.url, deployment.api_key("analytics"))
    deployment.serve("api")
    with ThreadPoolExecutor(READERS) as reading, ThreadPoolExecutor(WRITERS) as writing:
        try:
            reads = [reading.submit(readers.run, number) for number in range(READERS)]
            services[0].main_accounts.recorder.insert_events([new_event()])
            eventually(lambda: all(readers.positions_by_reader) or any(read.done() for read in reads))
            for writer in [writing.submit(write, services[number % 2], times) for number in range(WRITERS)]:
                writer.result()
            # The last insert may have been rolled back: one more event marks the end.
            readers.end = (services[0].main_accounts.recorder.insert_events([new_event()]) or [0])[-1]
            for read in reads:
                read.result(60)
        finally:
            readers.stopped.set()
    stored = [row[0] for row in fetch(database_url, "SELECT notification_id FROM stored_events ORDER BY 1")]
    assert len(stored) > WRITERS * times
    assert len(stored) < stored[-1], "nothing was rolled back"
    for positions in readers.positions_by_reader:
        assert positions == stored


def test_open_stream_does_not_delay_shutdown(deploy: Callable[..., Deployment], service: Service) -> None:
    """On SIGTERM the server ends its streams properly before the supervisor would kill it."""
    deployment = deploy(master_key=master_key_setting(service), server_processes="1")
    headers = {"Authorization": f"Bearer {deployment.api_key('analytics')}"}
    (program,) = deployment.serve("api")
    with httpx.stream("GET", f"{deployment.url}/v1/events/stream", headers=headers, timeout=30) as response:
        lines = response.iter_lines()
        assert next(lines) == "retry: 2000"
        program.process.send_signal(signal.SIGTERM)
        list(lines)  # raises unless the stream ends properly
        assert program.wait() == 0


def test_closed_stream_frees_its_slot(deploy: Callable[..., Deployment], service: Service) -> None:
    """The slot is freed soon even without new events; until then other readers get 503 with `Retry-After`."""
    deployment = deploy(max_streams="1", server_processes="1", master_key=master_key_setting(service))
    headers = {"Authorization": f"Bearer {deployment.api_key('analytics')}"}
    deployment.serve("api")
    with httpx.Client(base_url=deployment.url, headers=headers, timeout=30) as client:
        for _ in range(3):
            with client.stream("GET", "/v1/events/stream") as first:
                lines = first.iter_lines()  # keep a reference: httpx closes the stream of a collected iterator
                assert next(lines) == "retry: 2000"
                with client.stream("GET", "/v1/events/stream") as second:
                    assert (second.status_code, second.headers["Retry-After"]) == (503, "5")
            eventually(lambda: wait_at_the_end(client).status_code == 200)


def wait_at_the_end(client: httpx.Client) -> httpx.Response:
    end = client.get("/v1/events").json()["next_after"]
    return client.get("/v1/events", params={"after": end, "wait": 0.01})


def master_key_setting(service: Service) -> str:
    """Return a service's master key, encoded as in the setting."""
    return base64.b64encode(service.settings.master_keys[0]).decode()
