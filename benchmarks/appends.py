"""Appending one event a transaction: beside the library's own recorder, and beside pgbench inserting the same row.

Ours is what every command ends with, on the connections that the service has. While threads of one process append,
ours or the library's, readers in processes of their own follow by position: each has to have every event in the end,
once, in order.
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
from adapters.postgres.recorder import Recorder
from benchmarks.lines import Line, median_of
from benchmarks.long_history import ready_settings
from projections.event_log import events_after

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier, Event

    from benchmarks.lines import Scale

THREADS, PROCESSES = 8, 4
READERS = 2
LOOK, PAUSE = 5000, 0.05
"""Events and seconds: a reader is to find out what it misses, and to take little from the writers beside it."""

BAR_OF_LIBRARY, BAR_OF_PGBENCH = 3.5, 0.5

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
"""As long as the event of an edit is."""

AS_LIBRARY = "as_the_library_has_it"


def measure(scale: Scale) -> list[Line]:
    """Have ours, the library's and pgbench's clients append in turn."""
    with ready_settings() as settings, tempfile.TemporaryDirectory() as folder:
        service_url, url = settings.database_url or "", settings.owner_url
        script = Path(folder) / "insert.sql"
        script.write_text(INSERT)
        one, many = [], []
        for _ in range(scale.runs):
            ours = ours_of_one_process(service_url, scale.seconds)
            library = of_the_library(url, scale.seconds)
            against = "the library's default recorder"
            one.append(Line("appends, 8 threads, one process", ours, "1/s", against, library, BAR_OF_LIBRARY))
            ours = ours_of_processes(service_url, scale.seconds)
            bare = of_pgbench(url, script, scale.seconds)
            against = "pgbench, the same row and clients"
            many.append(Line("appends, 4 processes of 8 threads", ours, "1/s", against, bare, BAR_OF_PGBENCH))
    return [median_of(one), median_of(many)]


def event() -> StoredEvent:
    """Return an event in a stream of its own, whose id takes little time to make: pgbench has the server make it."""
    return StoredEvent(UUID(int=random.getrandbits(128), version=4), 1, TOPIC, STATE)


def rate(append: Callable[[], object], seconds: float) -> float:
    """Return how many appends a second all threads of this process come to."""

    def run(_: int) -> int:
        count = 0
        while time.perf_counter() < until:
            append()
            count += 1
        return count

    append()
    began = time.perf_counter()
    until = began + seconds
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(run, range(THREADS))) / (time.perf_counter() - began)


def rate_once_all_are_there(
    recorder: PostgresApplicationRecorder, seconds: float, begin: Callable[[], object]
) -> float:
    """Append one event a transaction, after some by which connections and prepared statements are there too."""
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: recorder.insert_events([event()]), range(THREADS * 50)))
    begin()
    return rate(lambda: recorder.insert_events([event()]), seconds)


def rate_of_ours(url: str, seconds: float, begin: Callable[[], object]) -> float:
    """Append through the recorder, once all who are to be there are."""
    database = Database(url, pool_size=THREADS)
    recorder = Recorder(database, lambda: None)
    try:
        return rate_once_all_are_there(recorder, seconds, begin)
    finally:
        database.close()


def ours_of_one_process(url: str, seconds: float) -> float:
    """Return the rate of one process."""
    return beside_readers(url, lambda begin: rate_of_ours(url, seconds, begin))


def beside_readers(url: str, measured: Callable[[Callable[[], object]], float]) -> float:
    """Return what was measured; exit where a reader has missed an event meanwhile, or has read one twice."""
    spawn = multiprocessing.get_context("spawn")
    over, ready = spawn.Event(), spawn.Barrier(READERS + 1)
    with spawn.Pool(READERS, _be_told, (ready, over)) as readers:
        reading = readers.map_async(follow, [url] * READERS, chunksize=1)
        rate = measured(ready.wait)
        over.set()
        found = reading.get()
    with psycopg.connect(url) as connection:
        stored = [row[0] for row in connection.execute("SELECT notification_id FROM stored_events ORDER BY 1")]
    if any(positions != stored for positions in found):
        msg = "a reader missed an event"
        raise SystemExit(msg)
    return rate


def ours_of_processes(url: str, seconds: float) -> float:
    """Return the rate of several processes together."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(PROCESSES, _be_told, (spawn.Barrier(PROCESSES), spawn.Event())) as processes:
        return sum(processes.starmap(rate_in_company, [(url, seconds)] * PROCESSES, chunksize=1))


def rate_in_company(url: str, seconds: float) -> float:
    """Append through the recorder of this process, while the other ones do."""
    return rate_of_ours(url, seconds, _told[0][0].wait)


_told: list[tuple[Barrier, Event]] = []
"""What a process goes by: when all are there, and when it is over."""


def _be_told(ready: Barrier, over: Event) -> None:
    _told.append((ready, over))


def follow(url: str) -> list[int]:
    """Read on from position to position until told that it is over and there is nothing more."""
    positions: list[int] = []
    ready, over = _told[0]
    with psycopg.connect(url, autocommit=True) as connection:
        ready.wait()
        while True:
            ended = over.is_set()
            found = events_after(connection, positions[-1] if positions else 0, LOOK)
            positions += [one.position for one in found]
            if ended and not found:
                return positions
            time.sleep(PAUSE if len(found) < LOOK else 0)


def of_the_library(url: str, seconds: float) -> float:
    """Return the rate of the library's recorder as it is shipped, in a schema of its own."""
    told: dict[str, Any] = conninfo_to_dict(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {AS_LIBRARY}")
    names = ("dbname", "host", "port", "user", "password")
    datastore = PostgresDatastore(*(told[name] for name in names), schema=AS_LIBRARY, pool_size=THREADS)
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    try:
        return beside_readers(
            make_conninfo(url, options=f"-c search_path={AS_LIBRARY}"),
            lambda begin: rate_once_all_are_there(recorder, seconds, begin),
        )
    finally:
        datastore.close()


INSERT = f"""\
INSERT INTO stored_events (originator_id, originator_version, topic, state)
VALUES (gen_random_uuid(), 1, '{TOPIC}', '\\x{STATE.hex()}'::bytea) RETURNING notification_id;
"""  # noqa: S608  # of this module's own constants
TRANSACTIONS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


def of_pgbench(url: str, script: Path, seconds: float) -> float:
    """Return the rate of as many clients of pgbench."""
    pgbench = Path(str(files(PACKAGE) / INSTALLATION / "bin" / "pgbench"))
    clients, jobs = str(PROCESSES * THREADS), str(os.cpu_count() or 1)
    options = ["-n", "-M", "prepared", "-c", clients, "-j", jobs, "-T", str(max(1, round(seconds))), "-f", str(script)]
    done = subprocess.run([pgbench, *options, url], capture_output=True, text=True, check=True)
    found = TRANSACTIONS.search(done.stdout)
    if found is None:
        raise LookupError(done.stdout)
    return float(found[1])
