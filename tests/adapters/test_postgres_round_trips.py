"""Several statements go to the server together, and take effect together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from adapters.postgres.round_trips import RoundTrips
from tests.postgres import ask, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from adapters.postgres.round_trips import Statement

ADD = "INSERT INTO numbers VALUES (%(number)s) RETURNING number"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    """Give a connection to a database with a table of numbers."""
    with connect(database_url) as connection:
        connection.execute("CREATE TABLE numbers (number bigint PRIMARY KEY)")
        yield connection


@pytest.fixture
def trips() -> RoundTrips:
    """Give what makes round trips."""
    return RoundTrips()


def add(*numbers: object) -> list[Statement]:
    return [(ADD, {"number": number}) for number in numbers]


def numbers(url: str) -> list[int]:
    return [row[0] for row in ask(url, "SELECT number FROM numbers ORDER BY 1")]


def test_each_statement_has_its_result(trips: RoundTrips, connection: Connection) -> None:
    """In their order, whether a connection has seen a statement before or not, and whatever size a number has."""
    for first in (0, 10, 20):
        results = trips.make(
            connection, [*add(first, first + 1), ("SELECT %(a)s::int + %(b)s + %(a)s", {"a": 1, "b": 2})]
        )
        assert [result.get_value(0, 0) for result in results] == [b"%d" % first, b"%d" % (first + 1), b"4"]
    (large,) = trips.make(connection, add(2**40))
    assert large.get_value(0, 0) == b"%d" % 2**40


def test_a_failure_takes_all_with_it(trips: RoundTrips, connection: Connection, database_url: str) -> None:
    """What came before it and what was to come after; and the connection is as good as before."""
    for _ in range(2):
        with pytest.raises(psycopg.errors.UniqueViolation, match="numbers_pkey"):
            trips.make(connection, [*add(1), ("DELETE FROM numbers WHERE number = 7", {}), *add(1), ("SELECT 1", {})])
        assert numbers(database_url) == []
    trips.make(connection, [*add(1), ("SELECT 1", {})])
    assert numbers(database_url) == [1]


def test_what_cannot_be_sent_harms_nothing(trips: RoundTrips, connection: Connection, database_url: str) -> None:
    """A value that no column takes is found before anything is on its way."""
    with pytest.raises(psycopg.ProgrammingError, match="object"):
        trips.make(connection, add(1, object()))
    trips.make(connection, add(2))
    assert numbers(database_url) == [2]


def test_what_a_connection_forgot_is_prepared_again(
    trips: RoundTrips, connection: Connection, database_url: str
) -> None:
    """Psycopg deallocates all that a connection has prepared, for example after a rollback."""
    trips.make(connection, add(1, 2))
    connection.execute("DEALLOCATE ALL")
    trips.make(connection, add(3, 4))
    assert numbers(database_url) == [1, 2, 3, 4]


def test_a_lost_connection_is_told_as_such(trips: RoundTrips, connection: Connection, database_url: str) -> None:
    """And nothing of it stays."""
    ask(database_url, "SELECT pg_terminate_backend(%s)", connection.info.backend_pid)
    with pytest.raises(psycopg.OperationalError):
        trips.make(connection, add(1))
    assert numbers(database_url) == []


def test_much_goes_in_one_piece_too(trips: RoundTrips, connection: Connection, database_url: str) -> None:
    """More than the server and the network take before they answer."""
    echo = ("SELECT %(much)s::text", {"much": "x" * 5_000_000})
    results = trips.make(connection, [*add(1), echo, echo, *add(2)])
    assert [len(result.get_value(0, 0) or b"") for result in results] == [1, 5_000_000, 5_000_000, 1]
