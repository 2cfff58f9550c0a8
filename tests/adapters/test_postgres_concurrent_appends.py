"""Concurrent appends: readers by position see each event exactly once and in order."""

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

from adapters.postgres.event_store.settled_reads import events_after, recorded_position, settled_position
from api.bootstrap import connections
from application.errors import VersionConflict
from tests.postgres import append, connect, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventsourcing.persistence import ApplicationRecorder

    from api.bootstrap.service import Service

LOCK_KEY_BASE = 0x5375 << 48
"""Added to the position in the key of the advisory lock with which a writer announces its transaction."""

ANNOUNCE = "SELECT pg_advisory_xact_lock_shared(%s)"


@pytest.fixture
def recorder(service: Service) -> ApplicationRecorder:
    """Return the recorder of a service."""
    return service.main_accounts.recorder


@pytest.fixture
def reader(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection to read from."""
    with connect(database_url) as connection:
        yield connection


@pytest.fixture
def writer(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection whose transactions the test keeps open."""
    with connect(database_url) as connection:
        yield connection


def event() -> StoredEvent:
    return StoredEvent(uuid4(), 1, "Something", b"{}")


def positions(connection: psycopg.Connection[Any], after: int = 0) -> list[int]:
    return [event.position for event in events_after(connection, after, 1000)]


@pytest.mark.parametrize("rolls_back", [False, True])
def test_open_append_delays_later_events(
    recorder: ApplicationRecorder, reader: psycopg.Connection, writer: psycopg.Connection, rolls_back: bool
) -> None:
    """Later events become readable when the transaction commits or rolls back; earlier ones are readable meanwhile."""
    recorder.insert_events([event()])
    with writer.transaction(force_rollback=rolls_back):
        first_position = append(writer, event())
        recorder.insert_events([event(), event()])

        assert positions(reader) == [1]
        assert settled_position(reader) == 1 == recorder.max_notification_id()
        assert recorded_position(reader) == 4
        assert [notification.id for notification in recorder.select_notifications(1, 10)] == [1]

    assert positions(reader, 1) == ([3, 4] if rolls_back else [first_position, 3, 4])
    assert settled_position(reader) == recorded_position(reader) == 4


def test_open_append_of_the_first_event_delays_later_events(
    recorder: ApplicationRecorder, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    """The sequence has not assigned a position before."""
    assert settled_position(reader) == 0
    assert recorder.max_notification_id() is None
    with writer.transaction():
        append(writer, event())
        recorder.insert_events([event()])
        assert positions(reader) == []
    assert positions(reader) == [1, 2]


def test_outdated_announcement_of_a_writer_loses_no_event(
    recorder: ApplicationRecorder, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    """An announcement with an outdated position lowers the settled position briefly, and no event is lost."""
    for _ in range(3):
        recorder.insert_events([event()])
    assert positions(reader) == [1, 2, 3]
    with writer.transaction():
        writer.execute(ANNOUNCE, [LOCK_KEY_BASE + 1])
        assert settled_position(reader) == 1
        append(writer, event())
        assert positions(reader, 3) == []
    assert positions(reader, 3) == [4]


def test_gap_at_the_end_does_not_delay_readers(
    recorder: ApplicationRecorder, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    """Positions of rolled-back transactions at the end of the history do not delay readers."""
    recorder.insert_events([event()])
    with writer.transaction(force_rollback=True):
        append(writer, event())
    assert settled_position(reader) == recorded_position(reader) == 1


def test_large_positions_are_supported(
    recorder: ApplicationRecorder, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    """Positions may exceed the 32 bits of one half of an advisory lock key."""
    writer.execute("SELECT setval('stored_events_notification_id_seq', %s)", [2**40])
    recorder.insert_events([event()])
    with writer.transaction():
        append(writer, event())
        recorder.insert_events([event()])
        assert positions(reader) == [2**40 + 1]
    assert positions(reader) == [2**40 + 1, 2**40 + 2, 2**40 + 3]


def test_readers_ignore_unrelated_advisory_locks(
    recorder: ApplicationRecorder, reader: psycopg.Connection, server_url: str
) -> None:
    """Readers ignore locks of other parts of the service and of other databases on the server."""
    recorder.insert_events([event()])
    with connect(server_url) as other_database:
        other_database.execute("SELECT pg_advisory_lock_shared(%s)", [LOCK_KEY_BASE])
        reader.execute("SELECT pg_advisory_lock(0), pg_advisory_lock(723981, 0)")
        assert settled_position(reader) == 1


def test_position_sequence_is_not_cached_per_session(reader: psycopg.Connection) -> None:
    """A session with cached positions could append behind the position that readers have reached."""
    sequence = reader.execute(
        "SELECT seqcache FROM pg_sequence WHERE seqrelid = 'stored_events_notification_id_seq'::regclass"
    )
    assert sequence.fetchone() == (1,)


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_connections_override_the_default_isolation_level(service: Service, database_url: str, isolation: str) -> None:
    """Reads need a snapshot taken after the bound is known, so connections force read committed."""
    name = sql.Identifier(str(conninfo_to_dict(database_url)["dbname"]))
    level = sql.Literal(isolation)
    with connect(database_url) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = {}").format(name, level))
    with service.database.get_connection() as pooled, connections.connect(database_url, "test") as dedicated:
        for connection in (pooled, dedicated):
            level_row = connection.cursor(row_factory=tuple_row).execute("SHOW transaction_isolation").fetchone()
            assert level_row == ("read committed",)
    with connect(database_url) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_isolation").format(name))


MIN_ROUNDS = 20
"""Minimum number of rounds per writer, even on a slow machine."""


class ConcurrentClients:
    """Concurrent writers and readers on one database, for a limited time."""

    def __init__(self, recorder: ApplicationRecorder, url: str, seconds: float) -> None:
        self._recorder = recorder
        self._url = url
        self._until = time.monotonic() + seconds
        self._end: int | None = None
        self._existing = event()
        recorder.insert_events([self._existing])

    def write(self) -> None:
        """Append one to five events per round; about a fifth of the rounds conflict."""
        for _ in self._rounds():
            new_events = [event() for _ in range(random.choice([1, 1, 1, 2, 5]))]
            with suppress(VersionConflict):
                self._recorder.insert_events([*new_events, self._existing] if random.random() < 0.2 else new_events)

    def write_slowly(self) -> None:
        """Append in slow transactions, and roll back every other one."""
        with connect(self._url) as connection:
            for number in self._rounds():
                with connection.transaction(force_rollback=number % 2 == 1):
                    append(connection, event())
                    connection.execute("SELECT pg_sleep(random() * 0.02)")
                    append(connection, event())
                    connection.execute("SELECT pg_sleep(random() * 0.02)")

    def write_and_be_killed(self) -> None:
        """Append until the connection is killed, repeatedly."""
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
        """Read in batches of random size until the last event; return the positions."""
        positions_read: list[int] = []
        with connect(self._url) as connection:
            while self._end is None or not positions_read or positions_read[-1] < self._end:
                with connection.transaction():
                    after = positions_read[-1] if positions_read else 0
                    positions_read += [
                        event.position for event in events_after(connection, after, random.choice([1, 10, 500]))
                    ]
        return positions_read

    def stop_readers(self) -> list[int]:
        """Set the position at which readers stop, and return all stored positions."""
        stored = [row[0] for row in fetch(self._url, "SELECT notification_id FROM stored_events ORDER BY 1")]
        self._end = stored[-1]
        return stored

    def _rounds(self) -> Iterator[int]:
        for number in count():
            if number >= MIN_ROUNDS and time.monotonic() > self._until:
                return
            yield number

    def _kill(self, pid: int) -> None:
        fetch(self._url, "SELECT pg_terminate_backend(%s)", pid)


@pytest.mark.parametrize("seconds", [1.5, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
def test_readers_see_each_event_once_under_concurrent_appends(
    recorder: ApplicationRecorder, database_url: str, seconds: float
) -> None:
    """Writers are fast, slow, roll back and are killed; each reader still sees each event once, in order."""
    clients = ConcurrentClients(recorder, database_url, seconds)
    writers = [clients.write] * 6 + [clients.write_slowly] * 4 + [clients.write_and_be_killed] * 2
    with ThreadPoolExecutor(len(writers) + 6) as threads:
        reading = [threads.submit(clients.read) for _ in range(6)]
        writing = [threads.submit(write) for write in writers]
        for writer in writing:
            writer.result()
        stored = clients.stop_readers()
        positions_by_reader = [reader.result(timeout=60) for reader in reading]

    assert stored[-1] > len(stored) > 100
    for read_positions in positions_by_reader:
        assert read_positions == stored
