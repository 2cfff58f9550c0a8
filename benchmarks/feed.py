"""Can a consumer read the feed from 0 at 10,000 events per second, in constant memory? Exits 1 if not.

Run `.venv/bin/python -m benchmarks.feed`. It creates its own database in a temporary folder. One reader requests page
after page from one server process, as an analytics consumer does. For comparison, the same rows are read with bare
psycopg in the same run. Memory of both processes is measured after a tenth of the history and at its end.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from api.bootstrap import composition_root
from application.command_context import CommandContext
from application.commands.api_keys import Scope
from benchmarks.history import write_history
from benchmarks.servers import resident_megabytes, run_api, temporary_database
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Callable


BAR = 10_000
"""Events per second."""

MAX_GROWTH_MB = 20.0
"""Growth of a process after the first tenth: pages differ in size, and allocators keep some memory."""

PAGE_SIZE = 1000
NEXT_PAGE = """
SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events
WHERE notification_id > %s ORDER BY notification_id LIMIT %s
"""


@dataclass(frozen=True)
class Reading:
    """Result of reading all events. `growth_mb` is the growth of server and reader after the first tenth."""

    events: int
    seconds: float
    growth_mb: dict[str, float]

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


def read_with_psycopg(url: str) -> Reading:
    """Read every row, page by page."""
    started_at, position, events = time.perf_counter(), 0, 0
    with psycopg.connect(url, autocommit=True) as connection:
        while rows := connection.execute(NEXT_PAGE, [position, PAGE_SIZE], prepare=True).fetchall():
            position, events = rows[-1][0], events + len(rows)
    return Reading(events, time.perf_counter() - started_at, {})


def read_feed(feed: httpx.Client, sizes: Callable[[], dict[str, float]], expected: int) -> Reading:
    """Read the whole feed page by page, and exit if an event is missing or out of order."""
    started_at, after, events, early_sizes = time.perf_counter(), 0, 0, dict[str, float]()
    while True:
        page = feed.get("/v1/events", params={"after": after, "limit": PAGE_SIZE}).raise_for_status().json()
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
        # The first use of a key records an event, which would come while the feed is read.
        (key,) = service.commands.api_keys.list()
        service.commands.api_keys.record_use(key, service.clock())
        service.close()
        bare = read_with_psycopg(url)
        headers = {"Authorization": f"Bearer {api_key}"}
        with (
            run_api(settings, SUBUSERS_SERVER_PROCESSES="1") as api,
            httpx.Client(base_url=api.url, headers=headers) as feed,
        ):
            (server,) = api.process_ids

            def sizes() -> dict[str, float]:
                return {"server": resident_megabytes(server), "reader": resident_megabytes(os.getpid())}

            pages = read_feed(feed, sizes, bare.events)
            stream = read_stream(feed, sizes, bare.events)
    show({"bare psycopg": bare, f"pages of {PAGE_SIZE:,}": pages, "one stream": stream}, bare)
    is_flat = max(*pages.growth_mb.values(), *stream.growth_mb.values()) <= MAX_GROWTH_MB
    return int(not is_flat or min(pages.rate, stream.rate) < BAR)


def show(readings: dict[str, Reading], bare: Reading) -> None:
    """Print the results."""
    table = Table("read with", "events", "seconds", f"events/s (bar {BAR:,})", "of bare psycopg", "MB grown")
    for name, reading in readings.items():
        grown = ", ".join(f"{process} {size:+.1f}" for process, size in reading.growth_mb.items())
        share = f"{reading.rate / bare.rate:.0%}"
        table.add_row(name, f"{reading.events:,}", f"{reading.seconds:.1f}", f"{reading.rate:,.0f}", share, grown)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
