"""Appends of one event per transaction, compared with the library's recorder and with pgbench inserting the same row.

Ours is the recorder that every command uses, with the connection pool of the service. While threads of one process
append, with our recorder or the library's, readers in other processes follow by position. In the end, each reader must
have read every event once, in order.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.embedded_postgres.binaries import INSTALLATION, PACKAGE
from adapters.postgres.database import Database
from adapters.postgres.event_store.recorder import Recorder
from adapters.postgres.event_store.settled_reads import events_after
from benchmarks.lines import Line, median_of
from benchmarks.servers import temporary_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier, Event

    from benchmarks.lines import Scale

THREADS, PROCESSES = 8, 4
READERS = 2
PAGE_SIZE, PAUSE_SECONDS = 5000, 0.05
"""Events per read, and pause between reads: detects a missed event, with little load on the writers."""

LIBRARY_BAR, PGBENCH_BAR = 3.5, 0.5
"""Least ratios of our rate to that of the peer."""

TOPIC = "SubUserVisibilityChanged"
STATE = (
    b'{"timestamp":"2026-03-02T09:30:00.125000+00:00","actor_type":"main_account","actor_id":"'
    + str(uuid4()).encode()
    + b'","request_id":"'
    + str(uuid4()).encode()
    + b'","ip":"1.'
    + b"a" * 54
    + b'","sub_user_id":"'
    + str(uuid4()).encode()
    + b'","visible":true}'
)
"""State of an event, as large as that of an edit."""

LIBRARY_SCHEMA = "library"


def measure(scale: Scale) -> list[Line]:
    """Append with our recorder, the library's and pgbench, in turn."""
    with temporary_database() as settings, tempfile.TemporaryDirectory() as folder:
        service_url, url = settings.database_url or "", settings.owner_url
        script = Path(folder) / "insert.sql"
        script.write_text(INSERT)
        single_process, many_processes = [], []
        for _ in range(scale.runs):
            ours = our_rate_in_one_process(service_url, scale.seconds)
            library = library_rate(url, scale.seconds)
            limit_label = "the library's default recorder"
            single_process.append(
                Line("appends, 8 threads, one process", ours, "1/s", limit_label, library, LIBRARY_BAR)
            )
            ours = our_rate_in_processes(service_url, scale.seconds)
            pgbench = pgbench_rate(url, script, scale.seconds)
            limit_label = "pgbench, the same row and clients"
            many_processes.append(
                Line("appends, 4 processes of 8 threads", ours, "1/s", limit_label, pgbench, PGBENCH_BAR)
            )
    return [median_of(single_process), median_of(many_processes)]


def new_event() -> StoredEvent:
    """Return an event in a stream of its own. Its id is cheap to generate: with pgbench, the server generates it."""
    return StoredEvent(UUID(int=random.getrandbits(128), version=4), 1, TOPIC, STATE)


def rate(append: Callable[[], object], seconds: float) -> float:
    """Return the appends per second of all threads of this process."""

    def run(_: int) -> int:
        count = 0
        while time.perf_counter() < deadline:
            append()
            count += 1
        return count

    append()
    started_at = time.perf_counter()
    deadline = started_at + seconds
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(run, range(THREADS))) / (time.perf_counter() - started_at)


def warm_rate(recorder: PostgresApplicationRecorder, seconds: float, begin: Callable[[], object]) -> float:
    """Return the rate of appending one event per transaction, after connections and statements are warmed up."""
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: recorder.insert_events([new_event()]), range(THREADS * 50)))
    begin()
    return rate(lambda: recorder.insert_events([new_event()]), seconds)


def our_rate(url: str, seconds: float, begin: Callable[[], object]) -> float:
    """Return the rate of our recorder. `begin` waits for the other participants."""
    database = Database(url, pool_size=THREADS)
    recorder = Recorder(database, lambda: None)
    try:
        return warm_rate(recorder, seconds, begin)
    finally:
        database.close()


def our_rate_in_one_process(url: str, seconds: float) -> float:
    """Return the rate of our recorder in one process."""
    return rate_with_readers(url, lambda begin: our_rate(url, seconds, begin))


def rate_with_readers(url: str, measure_rate: Callable[[Callable[[], object]], float]) -> float:
    """Return the measured rate. Exits if a reader missed an event, or read one twice."""
    spawn = multiprocessing.get_context("spawn")
    stop, ready = spawn.Event(), spawn.Barrier(READERS + 1)
    with spawn.Pool(READERS, _share_signals, (ready, stop)) as readers:
        reading = readers.map_async(follow, [url] * READERS, chunksize=1)
        rate = measure_rate(ready.wait)
        stop.set()
        positions_by_reader = reading.get()
    with psycopg.connect(url) as connection:
        stored = [row[0] for row in connection.execute("SELECT notification_id FROM stored_events ORDER BY 1")]
    if any(positions != stored for positions in positions_by_reader):
        msg = "a reader missed an event, or read one twice"
        raise SystemExit(msg)
    return rate


def our_rate_in_processes(url: str, seconds: float) -> float:
    """Return the total rate of our recorder in several processes."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(PROCESSES, _share_signals, (spawn.Barrier(PROCESSES), spawn.Event())) as processes:
        return sum(processes.starmap(our_rate_in_child, [(url, seconds)] * PROCESSES, chunksize=1))


def our_rate_in_child(url: str, seconds: float) -> float:
    """Return the rate of this child process, while its siblings append too."""
    return our_rate(url, seconds, _shared_signals[0][0].wait)


_shared_signals: list[tuple[Barrier, Event]] = []
"""Shared with the parent process: the barrier at which all begin, and the event that ends the readers."""


def _share_signals(ready: Barrier, stop: Event) -> None:
    _shared_signals.append((ready, stop))


def follow(url: str) -> list[int]:
    """Read page after page until `stop` is set and no event is left; return the positions read."""
    positions: list[int] = []
    ready, stop = _shared_signals[0]
    with psycopg.connect(url, autocommit=True) as connection:
        ready.wait()
        while True:
            ended = stop.is_set()
            events = events_after(connection, positions[-1] if positions else 0, PAGE_SIZE)
            positions += [event.position for event in events]
            if ended and not events:
                return positions
            time.sleep(PAUSE_SECONDS if len(events) < PAGE_SIZE else 0)


def library_rate(url: str, seconds: float) -> float:
    """Return the rate of the library's recorder with its defaults, in a schema of its own."""
    conninfo: dict[str, Any] = conninfo_to_dict(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {LIBRARY_SCHEMA}")
    names = ("dbname", "host", "port", "user", "password")
    datastore = PostgresDatastore(*(conninfo[name] for name in names), schema=LIBRARY_SCHEMA, pool_size=THREADS)
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    try:
        return rate_with_readers(
            make_conninfo(url, options=f"-c search_path={LIBRARY_SCHEMA}"),
            lambda begin: warm_rate(recorder, seconds, begin),
        )
    finally:
        datastore.close()


INSERT = f"""\
INSERT INTO stored_events (originator_id, originator_version, topic, state)
VALUES (gen_random_uuid(), 1, '{TOPIC}', '\\x{STATE.hex()}'::bytea) RETURNING notification_id;
"""  # noqa: S608  # only constants of this module
TRANSACTIONS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


def pgbench_rate(url: str, script: Path, seconds: float) -> float:
    """Return the rate of pgbench with the same number of clients."""
    pgbench = Path(str(files(PACKAGE) / INSTALLATION / "bin" / "pgbench"))
    clients, jobs = str(PROCESSES * THREADS), str(os.cpu_count() or 1)
    options = ["-n", "-M", "prepared", "-c", clients, "-j", jobs, "-T", str(max(1, round(seconds))), "-f", str(script)]
    process = subprocess.run([pgbench, *options, url], capture_output=True, text=True, check=True)
    rate_line = TRANSACTIONS.search(process.stdout)
    if rate_line is None:
        raise LookupError(process.stdout)
    return float(rate_line[1])
