"""Database deadlines: an unresponsive server fails callers in time and is used again once it responds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

from adapters.postgres import deadlines
from adapters.postgres.database import Database
from adapters.postgres.deadlines import DeadlineExceeded, Limits
from adapters.postgres.prepared_statements import MAX_PREPARED, execute_transaction, fetch_all
from adapters.postgres.sqlstates import describe, outage_of
from application.errors import StoreUnavailable
from tests.clusters import Cluster, clusters_folder
from tests.postgres import fetch, terminate_connections
from tests.tcp_forwarder import Forwarder
from tests.waiting import eventually, run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection

SHORT_LIMITS = Limits(lock=1, statement=1, exchange=2)
ERROR_DEADLINE = 6.0
"""Seconds: two for the exchange, the rest as tolerance for a busy machine."""


@pytest.fixture
def forwarder(database_url: str) -> Iterator[Forwarder]:
    """Yield a TCP forwarder in front of the database."""
    with Forwarder(urlsplit(database_url).port or 5432) as forwarder:
        yield forwarder


@pytest.fixture
def database(forwarder: Forwarder, database_url: str) -> Iterator[Database]:
    """Yield a pool with short deadlines, connected through the forwarder."""
    database = Database(forwarder.url(database_url), pool_size=4, limits=SHORT_LIMITS)
    yield database
    database.close()


def pipeline(connection: Connection[Any]) -> None:
    with connection.pipeline():
        connection.execute("SELECT 1")


def transaction(connection: Connection[Any]) -> None:
    with connection.transaction():
        connection.execute("SELECT 1")


def copy(connection: Connection[Any]) -> None:
    with connection.cursor().copy("COPY (SELECT 1) TO STDOUT") as rows:
        rows.read()


EXCHANGES: dict[str, Callable[[Connection[Any]], object]] = {
    "cursor": lambda connection: connection.execute("SELECT 1"),
    "prepared": lambda connection: fetch_all(connection, "SELECT 1", {}),
    "one transaction": lambda connection: execute_transaction(connection, [("SELECT 1", {}), ("SELECT 2", {})]),
    "pipeline": pipeline,
    "transaction": transaction,
    "copy": copy,
    "stream": lambda connection: list(connection.cursor().stream("SELECT 1")),
    "listen": lambda connection: connection.execute("LISTEN anything"),
}


def test_each_kind_of_exchange_has_a_deadline(database: Database, database_url: str, forwarder: Forwarder) -> None:
    """Each kind of exchange ends with an error and closes its connection."""
    connections = [deadlines.connect(forwarder.url(database_url), "test", 1) for _ in EXCHANGES]

    def expect_failure(
        exchange: Callable[[Connection[Any]], object], connection: Connection[Any]
    ) -> Callable[[], float]:
        def run() -> float:
            started = time.monotonic()
            with pytest.raises(psycopg.OperationalError):
                exchange(connection)
            assert connection.closed
            return time.monotonic() - started

        return run

    with forwarder.stalled():
        durations = run_concurrently(
            [expect_failure(*pair) for pair in zip(EXCHANGES.values(), connections, strict=True)]
        )
    for name, seconds in zip(EXCHANGES, durations, strict=True):
        assert isinstance(seconds, float), (name, seconds)
        assert seconds < ERROR_DEADLINE, name


@pytest.mark.parametrize("cancellation", ["arrives", "arrives before the statement starts"])
def test_statement_past_its_deadline_is_cancelled_on_the_server(
    database_url: str, cancellation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would keep its locks. The server ignores a cancellation that arrives before the statement starts."""
    if cancellation != "arrives":
        monkeypatch.setattr(deadlines.BoundedConnection, "_cancel", lambda _: None)
    for _ in range(10):
        connection = deadlines.connect(database_url, "given up", exchange_seconds=0.001)
        with pytest.raises(DeadlineExceeded):
            connection.execute("SELECT pg_sleep(600)")

    running = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'subusers given up' AND state = 'active'"
    eventually(lambda: fetch(database_url, running) == [(0,)])


def test_pool_recovers_from_a_silent_network(database: Database, forwarder: Forwarder) -> None:
    """Open connections fail within the deadline, new ones within the connection timeout; errors carry a cause."""

    def read() -> int:
        with database.get_connection() as connection:
            return len(fetch_all(connection, "SELECT 1", {}))

    run_concurrently([read] * 4)
    started = time.monotonic()
    with forwarder.stalled():
        results = run_concurrently([read] * 6)
    assert time.monotonic() - started < deadlines.CONNECT_SECONDS + ERROR_DEADLINE
    assert [type(result) for result in results] == [StoreUnavailable] * 6
    causes = [result.__cause__ for result in results if isinstance(result, StoreUnavailable)]
    assert any(isinstance(cause, DeadlineExceeded) for cause in causes)
    assert eventually(lambda: run_concurrently([read])[0] == 1)
    assert run_concurrently([read] * 4) == [1] * 4


def test_pool_recovers_from_a_frozen_server() -> None:
    """The stopped server accepts connections but does not respond; callers succeed after it continues."""
    with clusters_folder() as folder:
        cluster = Cluster(folder / "cluster")
        database = Database(cluster.url, pool_size=4, limits=SHORT_LIMITS)

        def works() -> bool:
            (result,) = run_concurrently([lambda: run(database, "SELECT 1", prepared=True)])
            return result is None

        try:
            cluster.create()
            assert eventually(works)
            started = time.monotonic()
            with cluster.frozen():
                results = run_concurrently([lambda: run(database, "SELECT 1", prepared=True)] * 20)
                assert time.monotonic() - started < deadlines.CONNECT_SECONDS + ERROR_DEADLINE
            assert [type(result) for result in results] == [StoreUnavailable] * 20
            eventually(works)
        finally:
            database.close()
            cluster.stop()


def test_connections_ended_by_the_server_fail_at_most_one_request(database: Database, database_url: str) -> None:
    """The pool checks idle connections before lending them and drops the other ended ones, too."""

    def works() -> bool:
        (result,) = run_concurrently([lambda: run(database, "SELECT pg_sleep(0.02)", prepared=True)])
        return result is None

    for _ in range(3):
        run_concurrently([works] * 4)
        assert terminate_connections(database_url)
        assert [works() for _ in range(8)].count(False) <= 1


def test_read_only_database_is_unavailable(database: Database, database_url: str, forwarder: Forwarder) -> None:
    """Applies to open and new connections; the error names the cause."""
    name = urlsplit(database_url).path.strip("/")
    with pytest.raises(StoreUnavailable) as raised:
        run(database, "BEGIN READ ONLY; CREATE TABLE refused ()", prepared=False)
    assert describe(raised.value)["sqlstate"] == "25006"

    fetch(database_url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    terminate_connections(database_url)

    def is_refused() -> bool:
        (result,) = run_concurrently([lambda: run(database, "SELECT 1", prepared=False)])
        return "read-only" in str(describe(result)) if isinstance(result, StoreUnavailable) else False

    eventually(is_refused)
    with pytest.raises(psycopg.OperationalError, match="read-only"):
        deadlines.connect(forwarder.url(database_url), "test", 1)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT pg_sleep(60)", "statement took too long"),
        ("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", "insufficient resources"),
        ("DO $$ BEGIN RAISE SQLSTATE '58030'; END $$", "input or output error of the server"),
        ("DO $$ BEGIN RAISE SQLSTATE '57P03'; END $$", "shutdown, crash or start of the server"),
        ("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", "transaction rolled back by a conflict"),
        ("DO $$ BEGIN RAISE SQLSTATE 'XX001'; END $$", "internal error or corrupted data of the server"),
        ("DO $$ BEGIN RAISE SQLSTATE '25006'; END $$", "read-only database"),
    ],
)
def test_server_fault_is_an_outage(database: Database, statement: str, kind: str) -> None:
    """Applies to each class of psycopg error, pipelined or not. The next statement gets a working connection."""
    for prepared in (False, True):
        with pytest.raises(StoreUnavailable) as raised:
            run(database, statement, prepared=prepared)
        assert describe(raised.value)["kind"] == kind
        with database.get_connection() as connection:
            assert fetch_all(connection, "SELECT 1", {}) == [(1,)]


def run(database: Database, statement: str, *, prepared: bool) -> None:
    with database.get_connection() as connection:
        if prepared:
            fetch_all(connection, statement, {})
        else:
            connection.execute(statement.encode())


def test_statement_error_is_not_an_outage(database: Database) -> None:
    """Its log description contains neither data nor the statement."""
    connection: Connection[Any]
    with database.get_connection() as connection, pytest.raises(psycopg.Error) as raised:
        connection.execute("SELECT 'ada@example.com'::int")
    assert outage_of(raised.value) is None
    assert "ada" not in str(describe(raised.value))


def test_prepared_statements_per_connection_are_limited(database: Database) -> None:
    """The least recently used statements are dropped and prepared again on their next use."""
    count = "SELECT count(*) AS n FROM pg_prepared_statements WHERE name LIKE 'statement_%'"
    with database.get_connection() as connection:
        for repetition in range(2):
            for number in range(MAX_PREPARED + 20):
                assert fetch_all(connection, f"SELECT {number}", {}) == [(number,)]
                fetch_all(connection, "SELECT 'often'", {})
            execute_transaction(connection, [(f"SELECT {number}, {repetition}", {}) for number in range(30)])
        row = connection.execute(count).fetchone()
        prepared_count = connection.execute(
            "SELECT FROM pg_prepared_statements WHERE statement = 'SELECT ''often'''"
        ).rowcount
    assert row is not None
    assert row["n"] <= MAX_PREPARED
    assert prepared_count == 1
