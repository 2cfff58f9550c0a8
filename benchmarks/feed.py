"""Can a consumer read the feed from 0 at 10,000 events per second, in constant memory? Exits 1 if not.

Run `.venv/bin/python -m benchmarks.feed`. It creates its own database in a temporary folder. One reader requests page
after page from one server process, as an analytics consumer does. For comparison, the same rows are read with bare
psycopg in the same run. Memory of both processes is measured after a tenth of the history and at its end.
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

from api.bootstrap import composition_root
from application.command_context import CommandContext
from application.commands.api_keys import Scope
from benchmarks.history import write_history
from benchmarks.long_history import temporary_database
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.config import Settings

BAR = 10_000
"""Events per second."""

MOST_GROWTH = 20.0
"""MB by which a process may grow after the first tenth: pages differ in size, and allocators keep some memory."""

PAGE = 1000
NEXT = """
SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events
WHERE notification_id > %s ORDER BY notification_id LIMIT %s
"""


@dataclass(frozen=True)
class Reading:
    """Result of reading all events. `grown` is the growth of server and reader in MB."""

    events: int
    seconds: float
    grown: dict[str, float]

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


def read_with_psycopg(url: str) -> Reading:
    """Read every row, page by page."""
    started_at, position, events = time.perf_counter(), 0, 0
    with psycopg.connect(url, autocommit=True) as connection:
        while rows := connection.execute(NEXT, [position, PAGE], prepare=True).fetchall():
            position, events = rows[-1][0], events + len(rows)
    return Reading(events, time.perf_counter() - started_at, {})


def read_feed(feed: httpx.Client, sizes: Callable[[], dict[str, float]], expected: int) -> Reading:
    """Read the whole feed page by page, and exit if an event is missing or out of order."""
    started_at, after, events, early_sizes = time.perf_counter(), 0, 0, dict[str, float]()
    while True:
        page = feed.get("/v1/events", params={"after": after, "limit": PAGE}).raise_for_status().json()
        positions = [item["position"] for item in page["items"]]
        if positions != sorted(positions) or (positions and positions[0] <= after):
            sys.exit(f"out of order after {after}")
        events, after = events + len(positions), page["next_after"]
        if not early_sizes and events >= expected / 10:
            early_sizes = sizes()
        if page["next_cursor"] is None:
            break
    seconds = time.perf_counter() - started_at
    if events != expected:
        sys.exit(f"read {events:,} events of {expected:,}")
    return Reading(events, seconds, {name: size - early_sizes[name] for name, size in sizes().items()})


def read_stream(feed: httpx.Client, sizes: Callable[[], dict[str, float]], expected: int) -> Reading:
    """Read the whole history as one event stream."""
    started_at, events, early_sizes = time.perf_counter(), 0, dict[str, float]()
    with feed.stream("GET", "/v1/events/stream", timeout=60) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            events += line.startswith("data: ")
            if not early_sizes and events >= expected / 10:
                early_sizes = sizes()
            if events == expected:
                break
        seconds = time.perf_counter() - started_at
        grown = {name: size - early_sizes[name] for name, size in sizes().items()}
    return Reading(events, seconds, grown)


@contextmanager
def run_api(settings: Settings) -> Iterator[tuple[str, int]]:
    """Run the API with one server process, and yield its URL and the id of that process."""
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
    """Return the resident memory of a process."""
    (line,) = [row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    args = parser.parse_args()
    with temporary_database() as settings:
        url = settings.owner_url
        write_history(url, args.events)
        service = composition_root.build(settings)
        api_key = service.commands.api_keys.create(Scope.ANALYTICS, "benchmark", CommandContext(ActorType.SYSTEM))
        service.close()
        bare = read_with_psycopg(url)
        headers = {"Authorization": f"Bearer {api_key}"}
        with run_api(settings) as (address, server), httpx.Client(base_url=address, headers=headers) as feed:

            def sizes() -> dict[str, float]:
                return {"server": megabytes(server), "reader": megabytes(os.getpid())}

            pages = read_feed(feed, sizes, args.events)
            stream = read_stream(feed, sizes, args.events)
    show({"bare psycopg": bare, f"pages of {PAGE:,}": pages, "one stream": stream}, bare)
    is_flat = max(*pages.grown.values(), *stream.grown.values()) <= MOST_GROWTH
    return int(not is_flat or min(pages.rate, stream.rate) < BAR)


def show(readings: dict[str, Reading], bare: Reading) -> None:
    """Print the results."""
    table = Table("read with", "events", "seconds", f"events/s (bar {BAR:,})", "of bare psycopg", "MB grown")
    for name, reading in readings.items():
        grown = ", ".join(f"{process} {size:+.1f}" for process, size in reading.grown.items())
        share = f"{reading.rate / bare.rate:.0%}"
        table.add_row(name, f"{reading.events:,}", f"{reading.seconds:.1f}", f"{reading.rate:,.0f}", share, grown)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
