"""How fast does a consumer that starts from 0 catch up over the feed? Exits 1 below 10,000 events/s, or if not flat.

Run it with `.venv/bin/python -m benchmarks.feed`: it brings a database of its own, in a folder that it removes. One
reader asks one server process for page after page, as analytics would; the same rows are read with bare psycopg in the
same run, for comparison. Memory is that of either process when a tenth of the history was read, and at its end.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from api import bootstrap
from application.api_keys import Scope
from benchmarks.history import write_history
from benchmarks.long_history import ready_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.config import Settings

BAR = 10_000
"""Events a second."""

MOST_GROWTH = 20.0
"""MB by which a process may grow after the first tenth: pages differ in size, and allocators keep some."""

PAGE = 1000
NEXT = """
SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events
WHERE notification_id > %s ORDER BY notification_id LIMIT %s
"""


@dataclass(frozen=True)
class Reading:
    """What reading all of it came to; memory in MB, of the server and of the reader."""

    events: int
    seconds: float
    grown: dict[str, float]

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def read_with_psycopg(url: str) -> Reading:
    """Read every row, a page at a time."""
    began, position, events = time.perf_counter(), 0, 0
    with psycopg.connect(url, autocommit=True) as connection:
        while rows := connection.execute(NEXT, [position, PAGE], prepare=True).fetchall():
            position, events = rows[-1][0], events + len(rows)
    return Reading(events, time.perf_counter() - began, {})


def read_feed(feed: httpx.Client, sizes: Callable[[], dict[str, float]], expected: int) -> Reading:
    """Read the whole feed, and require that no event is missing or out of its order."""
    began, after, events, early = time.perf_counter(), 0, 0, dict[str, float]()
    while True:
        page = feed.get("/v1/events", params={"after": after, "limit": PAGE}).raise_for_status().json()
        positions = [item["position"] for item in page["items"]]
        if positions != sorted(positions) or (positions and positions[0] <= after):
            sys.exit(f"out of order after {after}")
        events, after = events + len(positions), page["next_after"]
        if not early and events >= expected / 10:
            early = sizes()
        if page["next_cursor"] is None:
            break
    seconds = time.perf_counter() - began
    if events != expected:
        sys.exit(f"read {events:,} events of {expected:,}")
    return Reading(events, seconds, {name: size - early[name] for name, size in sizes().items()})


def read_stream(feed: httpx.Client, sizes: Callable[[], dict[str, float]], expected: int) -> Reading:
    """Read the whole history as one stream."""
    began, events, early = time.perf_counter(), 0, dict[str, float]()
    with feed.stream("GET", "/v1/events/stream", timeout=60) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            events += line.startswith("data: ")
            if not early and events >= expected / 10:
                early = sizes()
            if events == expected:
                break
        seconds = time.perf_counter() - began
        grown = {name: size - early[name] for name, size in sizes().items()}
    return Reading(events, seconds, grown)


@contextmanager
def doors(settings: Settings) -> Iterator[tuple[str, int]]:
    """Run the doors with one server process, and yield where they are and that process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {"SUBUSERS_DATA_DIR": str(settings.data_dir), "SUBUSERS_PORT": str(port), "SUBUSERS_PROCESSES": "1"}
    command = [sys.executable, "-m", "api.cli", "api"]
    with subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
                client.get(f"{url}/readyz").raise_for_status()
            (server,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[-1:]
            yield url, int(server)
        finally:
            process.send_signal(signal.SIGTERM)


def megabytes(pid: int) -> float:
    """Return how much memory a process has in use."""
    (line,) = [one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    given = parser.parse_args()
    with ready_settings() as settings:
        url = settings.owner_url
        write_history(url, given.events)
        service = bootstrap.build(settings)
        api_key = service.api_keys.create(Scope.ANALYTICS, "benchmark", service.clock())
        service.close()
        bare = read_with_psycopg(url)
        headers = {"Authorization": f"Bearer {api_key}"}
        with doors(settings) as (address, server), httpx.Client(base_url=address, headers=headers) as feed:

            def sizes() -> dict[str, float]:
                return {"server": megabytes(server), "reader": megabytes(os.getpid())}

            pages = read_feed(feed, sizes, given.events)
            stream = read_stream(feed, sizes, given.events)
    show({"bare psycopg": bare, f"pages of {PAGE:,}": pages, "one stream": stream}, bare)
    flat = max(*pages.grown.values(), *stream.grown.values()) <= MOST_GROWTH
    return int(not flat or min(pages.rate, stream.rate) < BAR)


def show(readings: dict[str, Reading], bare: Reading) -> None:
    """Print what was measured."""
    table = Table("read with", "events", "seconds", f"events/s (bar {BAR:,})", "of bare psycopg", "MB grown")
    for name, one in readings.items():
        grown = ", ".join(f"{process} {size:+.1f}" for process, size in one.grown.items())
        share = f"{one.rate / bare.rate:.0%}"
        table.add_row(name, f"{one.events:,}", f"{one.seconds:.1f}", f"{one.rate:,.0f}", share, grown)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
