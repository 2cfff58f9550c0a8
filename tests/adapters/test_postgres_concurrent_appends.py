"""Many append at once, and whoever reads by position misses nothing and reads nothing twice."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from api import bootstrap
from application.errors import VersionConflict
from projections.event_log import events_after, recorded_position, settled_position
from tests.postgres import append, ask, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventsourcing.persistence import ApplicationRecorder

    from api.bootstrap import Service

SPACE = 0x5375 << 48
"""Where the keys of the locks begin by which writers announce themselves."""

ANNOUNCE = "SELECT pg_advisory_xact_lock_shared(%s)"


@pytest.fixture
def recorder(service: Service) -> ApplicationRecorder:
    """Give the recorder of a service."""
    return service.main_accounts.recorder


@pytest.fixture
def reader(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection to read from."""
    with connect(database_url) as connection:
        yield connection


@pytest.fixture
def writer(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection to write over slowly."""
    with connect(database_url) as connection:
        yield connection


def event() -> StoredEvent:
    return StoredEvent(uuid4(), 1, "Something", b"{}")


def positions(connection: psycopg.Connection[Any], after: int = 0) -> list[int]:
    return [one.position for one in events_after(connection, after, 1000)]


@pytest.mark.parametrize("in_vain", [False, True])
def test_what_is_under_way_holds_up_what_comes_after_it(
    recorder: ApplicationRecorder, reader: psycopg.Connection, writer: psycopg.Connection, in_vain: bool
) -> None:
    """Until its transaction ends, one way or the other; what was there before can be read meanwhile."""
    recorder.insert_events([event()])
    with writer.transaction(force_rollback=in_vain):
        drawn = append(writer, event())
        recorder.insert_events([event(), event()])

        assert positions(reader) == [1]
        assert settled_position(reader) == 1 == recorder.max_notification_id()
        assert recorded_position(reader) == 4
        assert [one.id for one in recorder.select_notifications(1, 10)] == [1]

    assert positions(reader, 1) == ([3, 4] if in_vain else [drawn, 3, 4])
    assert settled_position(reader) == recorded_position(reader) == 4


def test_the_first_event_of_all_is_waited_for(
    recorder: ApplicationRecorder, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    """Also before any position was ever drawn."""
    assert settled_position(reader) == 0
    assert recorder.max_notification_id() is None
    with writer.transaction():
        append(writer, event())
        recorder.insert_events([event()])
        assert positions(reader) == []
    assert positions(reader) == [1, 2]


def test_a_writer_that_was_held_up_does_no_harm(
    recorder: ApplicationRecorder, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    """One that announces itself with a number of long ago: for a moment less counts as settled, and nothing is lost."""
    for _ in range(3):
        recorder.insert_events([event()])
    assert positions(reader) == [1, 2, 3]
    with writer.transaction():
        writer.execute(ANNOUNCE, [SPACE + 1])
        assert settled_position(reader) == 1
        append(writer, event())
        assert positions(reader, 3) == []
    assert positions(reader, 3) == [4]


def test_a_gap_at_the_end_holds_up_nobody(
    recorder: ApplicationRecorder, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    """Positions that were drawn in vain are no events: the last event is where the history ends."""
    recorder.insert_events([event()])
    with writer.transaction(force_rollback=True):
        append(writer, event())
    assert settled_position(reader) == recorded_position(reader) == 1


def test_positions_may_be_very_large(
    recorder: ApplicationRecorder, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    """Beyond what one half of a lock's key holds."""
    writer.execute("SELECT setval('stored_events_notification_id_seq', %s)", [2**40])
    recorder.insert_events([event()])
    with writer.transaction():
        append(writer, event())
        recorder.insert_events([event()])
        assert positions(reader) == [2**40 + 1]
    assert positions(reader) == [2**40 + 1, 2**40 + 2, 2**40 + 3]


def test_other_locks_are_nothing_to_readers(
    recorder: ApplicationRecorder, reader: psycopg.Connection, server_url: str
) -> None:
    """Neither such as other parts of the service take, nor those of another database on the server."""
    recorder.insert_events([event()])
    with connect(server_url) as elsewhere:
        elsewhere.execute("SELECT pg_advisory_lock_shared(%s)", [SPACE])
        reader.execute("SELECT pg_advisory_lock(0), pg_advisory_lock(723981, 0)")
        assert settled_position(reader) == 1


def test_each_session_draws_one_position_at_a_time(reader: psycopg.Connection) -> None:
    """One that drew ahead could write behind what readers have passed."""
    drawn = reader.execute(
        "SELECT seqcache FROM pg_sequence WHERE seqrelid = 'stored_events_notification_id_seq'::regclass"
    )
    assert drawn.fetchone() == (1,)


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_readers_do_not_depend_on_the_server_s_isolation(service: Service, database_url: str, isolation: str) -> None:
    """Rows are to be read as they are after the bound was told, whatever a database has for a default."""
    name = sql.Identifier(str(conninfo_to_dict(database_url)["dbname"]))
    level = sql.Literal(isolation)
    with connect(database_url) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = {}").format(name, level))
    with service.database.get_connection() as lent, bootstrap.connect(database_url, "test") as own:
        for connection in (lent, own):
            shown = connection.cursor(row_factory=tuple_row).execute("SHOW transaction_isolation").fetchone()
            assert shown == ("read committed",)
    with connect(database_url) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_isolation").format(name))


AT_LEAST = 20
"""Rounds of each writer, however slow the machine is."""


class Crowd:
    """Writers of all kinds, and readers, on one database until the time is over."""

    def __init__(self, recorder: ApplicationRecorder, url: str, seconds: float) -> None:
        self._recorder = recorder
        self._url = url
        self._until = time.monotonic() + seconds
        self._end: int | None = None
        self._taken = event()
        recorder.insert_events([self._taken])

    def write(self) -> None:
        """Record one event, or some; at times in vain, as when two commands collide."""
        for _ in self._rounds():
            new = [event() for _ in range(random.choice([1, 1, 1, 2, 5]))]
            with suppress(VersionConflict):
                self._recorder.insert_events([*new, self._taken] if random.random() < 0.2 else new)

    def write_slowly(self) -> None:
        """Have each transaction take its time, some between announcing and drawing, and every other one fail."""
        with connect(self._url) as connection:
            for number in self._rounds():
                with connection.transaction(force_rollback=number % 2 == 1):
                    append(connection, event())
                    connection.execute("SELECT pg_sleep(random() * 0.02)")
                    append(connection, event())
                    connection.execute("SELECT pg_sleep(random() * 0.02)")

    def write_and_be_killed(self) -> None:
        """Lose the connection at some moment, again and again."""
        while time.monotonic() < self._until:
            with connect(self._url) as connection:
                killer = threading.Timer(random.random() * 0.03, self._kill, [connection.info.backend_pid])
                killer.start()
                with suppress(psycopg.OperationalError):
                    while True:
                        with connection.transaction():
                            append(connection, event())
                            append(connection, event())
                killer.join()

    def read(self) -> list[int]:
        """Read on from the last position, by batches of any size, until everything is there."""
        found: list[int] = []
        with connect(self._url) as connection:
            while self._end is None or not found or found[-1] < self._end:
                with connection.transaction():
                    after = found[-1] if found else 0
                    found += [one.position for one in events_after(connection, after, random.choice([1, 10, 500]))]
        return found

    def end(self) -> list[int]:
        """Let readers come to the end, and return what there is to have been read."""
        stored = [row[0] for row in ask(self._url, "SELECT notification_id FROM stored_events ORDER BY 1")]
        self._end = stored[-1]
        return stored

    def _rounds(self) -> Iterator[int]:
        for number in count():
            if number >= AT_LEAST and time.monotonic() > self._until:
                return
            yield number

    def _kill(self, pid: int) -> None:
        ask(self._url, "SELECT pg_terminate_backend(%s)", pid)


@pytest.mark.parametrize("seconds", [1.5, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
def test_no_reader_misses_anything(recorder: ApplicationRecorder, database_url: str, seconds: float) -> None:
    """While writers are quick, slow, fail and are killed, each of many readers reads every event once, in order."""
    crowd = Crowd(recorder, database_url, seconds)
    writers = [crowd.write] * 6 + [crowd.write_slowly] * 4 + [crowd.write_and_be_killed] * 2
    with ThreadPoolExecutor(len(writers) + 6) as threads:
        reading = [threads.submit(crowd.read) for _ in range(6)]
        writing = [threads.submit(write) for write in writers]
        for one in writing:
            one.result()
        stored = crowd.end()
        read = [one.result(timeout=60) for one in reading]

    assert stored[-1] > len(stored) > 100
    for found in read:
        assert found == stored
