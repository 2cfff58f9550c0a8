"""The feed of a real server: no reader misses an event, and a stream holds up nobody who wants to end it."""

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
from tests.postgres import ask
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from tests.processes.deployment import Deployment

WRITERS, READERS = 16, 8
STREAMS = str(2 * READERS)
STATE = {"timestamp": "2026-01-01T00:00:00+00:00", "actor_type": "system", "sub_user_id": str(UUID(int=1))}
DAWDLE = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(random() * 0.02);
    RETURN new;
END $$;
CREATE TRIGGER dawdle BEFORE INSERT ON stored_events FOR EACH ROW
WHEN (position('"slow"' IN convert_from(new.state, 'UTF8')) > 0) EXECUTE FUNCTION dawdle();
"""
"""Has whoever writes an event that is marked so be slow after its position was drawn, however that is guarded."""

TIMES = [20, pytest.param(600, marks=[pytest.mark.long, pytest.mark.timeout(900)])]


def event() -> StoredEvent:
    """Return an event in a stream of its own, one in eight of them slow to be written."""
    slow = {"slow": True} if random.random() < 1 / 8 else {}
    return StoredEvent(uuid4(), 1, "SubUserDeleted", json.dumps({**STATE, **slow}).encode())


def write(service: Service, times: int) -> None:
    """Record events so often: one and several at once, some after all not, as when two commands collide."""
    recorder, taken = service.main_accounts.recorder, event()
    recorder.insert_events([taken])
    for _ in range(times):
        new = [event() for _ in range(random.randint(1, 5))]
        with suppress(VersionConflict):
            recorder.insert_events([*new, taken] if random.random() < 0.3 else new)


class Readers:
    """Read the feed of a server from the beginning, half of them as a stream, until told where the end is."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self.read: list[list[int]] = [[] for _ in range(READERS)]
        self.end = 0
        self.over = threading.Event()

    def run(self, number: int) -> None:
        """Read as one of them."""
        (self._read_pages if number % 2 else self._read_streams)(self.read[number])

    def _read_pages(self, positions: list[int]) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60) as client:
            after = 0
            while not self._is_done(positions):
                query = {"after": after, "limit": random.randint(1, 1000), "wait": 0.5}
                page = client.get("/v1/events", params=query).raise_for_status().json()
                positions += [item["position"] for item in page["items"]]
                after = page["next_after"]

    def _read_streams(self, positions: list[int]) -> None:
        """Come back every few hundred events, as a reader that is cut off does."""
        while not self._is_done(positions):
            self._read_stream(positions)

    def _read_stream(self, positions: list[int]) -> None:
        enough = len(positions) + 500
        headers = {**self._headers, "Last-Event-ID": str(positions[-1] if positions else 0)}
        with httpx.stream("GET", f"{self._url}/v1/events/stream", headers=headers, timeout=60) as answer:
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


@pytest.mark.parametrize("times", TIMES)
def test_no_reader_misses_an_event(
    deploy: Callable[..., Deployment], build: Callable[..., Service], database_url: str, times: int
) -> None:
    """16 write, some slowly, some in vain; 8 read: each has every event, once, in the order of positions."""
    ask(database_url, DAWDLE)
    one, other = build(), build()
    deployment = deploy(streams=STREAMS, master_key=as_setting(one))
    readers = Readers(deployment.url, deployment.api_key("analytics"))
    deployment.serve("api")
    with ThreadPoolExecutor(READERS) as reading, ThreadPoolExecutor(WRITERS) as writing:
        try:
            reads = [reading.submit(readers.run, number) for number in range(READERS)]
            one.main_accounts.recorder.insert_events([event()])
            eventually(lambda: all(readers.read) or any(read.done() for read in reads))
            for written in [writing.submit(write, (one, other)[number % 2], times) for number in range(WRITERS)]:
                written.result()
            # The last event may have come in vain: one more that did not tells where to stop.
            readers.end = (one.main_accounts.recorder.insert_events([event()]) or [0])[-1]
            for read in reads:
                read.result(60)
        finally:
            readers.over.set()
    stored = [row[0] for row in ask(database_url, "SELECT notification_id FROM stored_events ORDER BY 1")]
    assert len(stored) > WRITERS * times
    assert len(stored) < stored[-1], "nothing was rolled back"
    for positions in readers.read:
        assert positions == stored


def test_a_stream_does_not_hold_up_the_end(deploy: Callable[..., Deployment], service: Service) -> None:
    """Asked to end, the server lets its readers go before it would be killed."""
    deployment = deploy(master_key=as_setting(service), processes="1")
    headers = {"Authorization": f"Bearer {deployment.api_key('analytics')}"}
    (program,) = deployment.serve("api")
    with httpx.stream("GET", f"{deployment.url}/v1/events/stream", headers=headers, timeout=30) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        program.process.send_signal(signal.SIGTERM)
        assert set(lines) <= {":"}  # to its end, as HTTP has it: one who is killed breaks off, which raises
        assert program.wait() == 0


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
