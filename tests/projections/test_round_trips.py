"""Statements go to the server in one piece, and several take effect together or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest

from projections.round_trips import in_one_transaction, rows_of
from tests.postgres import ask, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from projections.round_trips import Statement

ADD = "INSERT INTO numbers VALUES (%(number)s) RETURNING number"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    """Give a connection to a database with a table of numbers."""
    with connect(database_url) as connection:
        connection.execute("CREATE TABLE numbers (number bigint PRIMARY KEY)")
        yield connection


def add(*numbers: object) -> list[Statement]:
    return [(ADD, {"number": number}) for number in numbers]


def numbers(url: str) -> list[int]:
    return [row[0] for row in ask(url, "SELECT number FROM numbers ORDER BY 1")]


def test_each_statement_has_its_result(connection: Connection) -> None:
    """In their order, whether a connection has seen a statement before or not, and whatever size a number has."""
    for first in (0, 10, 20):
        results = in_one_transaction(
            connection, [*add(first, first + 1), ("SELECT %(a)s::int + %(b)s + %(a)s", {"a": 1, "b": 2})]
        )
        assert [result.get_value(0, 0) for result in results] == [b"%d" % first, b"%d" % (first + 1), b"4"]
    (large,) = in_one_transaction(connection, add(2**40))
    assert large.get_value(0, 0) == b"%d" % 2**40


def test_a_failure_takes_all_with_it(connection: Connection, database_url: str) -> None:
    """What came before it and what was to come after; and the connection is as good as before."""
    for _ in range(2):
        with pytest.raises(psycopg.errors.UniqueViolation, match="numbers_pkey"):
            in_one_transaction(
                connection, [*add(1), ("DELETE FROM numbers WHERE number = 7", {}), *add(1), ("SELECT 1", {})]
            )
        assert numbers(database_url) == []
    in_one_transaction(connection, [*add(1), ("SELECT 1", {})])
    assert numbers(database_url) == [1]


def test_what_cannot_be_sent_harms_nothing(connection: Connection, database_url: str) -> None:
    """A value that no column takes is found before anything is on its way."""
    with pytest.raises(psycopg.ProgrammingError, match="object"):
        in_one_transaction(connection, add(1, object()))
    in_one_transaction(connection, add(2))
    assert numbers(database_url) == [2]


def test_one_alone_gives_its_rows(connection: Connection) -> None:
    """As Python has their values, whatever was asked before, and whether it was prepared before or not."""
    moment = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    query = "SELECT %(moment)s::timestamptz, %(bytes)s::bytea, %(text)s::text, ARRAY[%(id)s::uuid], NULL FROM one"
    connection.execute("CREATE TABLE one AS SELECT 1")
    for number in range(3):
        given = {"moment": moment, "bytes": b"\x00'", "text": f"{number} \u20ac", "id": UUID(int=number)}
        assert rows_of(connection, query, given) == [(moment, b"\x00'", f"{number} \u20ac", [UUID(int=number)], None)]
    assert rows_of(connection, "SELECT 1 FROM one WHERE %(never)s", {"never": False}) == []


def test_one_alone_can_be_refused(connection: Connection) -> None:
    """With the error that says why; and the connection is as good as before."""
    for _ in range(2):
        assert rows_of(connection, *add(1)[0]) == [(1,)]
        with pytest.raises(psycopg.errors.UniqueViolation, match="numbers_pkey"):
            rows_of(connection, *add(1)[0])
        connection.execute("DELETE FROM numbers")
    with pytest.raises(psycopg.errors.UndefinedTable):
        rows_of(connection, "SELECT 1 FROM nothing", {})
    assert rows_of(connection, *add(1)[0]) == [(1,)]


@pytest.mark.parametrize("several", [1, 2])
def test_what_a_connection_forgot_is_prepared_again(connection: Connection, database_url: str, several: int) -> None:
    """Psycopg deallocates all that a connection has prepared, for example after a rollback."""
    in_one_transaction(connection, add(*range(several)))
    connection.execute("DEALLOCATE ALL")
    in_one_transaction(connection, add(*range(several, 2 * several)))
    assert numbers(database_url) == list(range(2 * several))


@pytest.mark.parametrize("several", [1, 2])
@pytest.mark.parametrize("known", [True, False], ids=["prepared", "new"])
def test_a_lost_connection_is_told_as_such(
    connection: Connection, database_url: str, several: int, *, known: bool
) -> None:
    """And nothing of it stays; a second look at the same connection says the same."""
    if known:
        in_one_transaction(connection, add(*range(several)))
        connection.execute("DELETE FROM numbers")
    ask(database_url, "SELECT pg_terminate_backend(%s)", connection.info.backend_pid)
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            in_one_transaction(connection, add(*range(several)))
    assert numbers(database_url) == []


def test_much_goes_in_one_piece_too(connection: Connection, database_url: str) -> None:
    """More than the server and the network take before they answer."""
    echo = ("SELECT %(much)s::text", {"much": "x" * 5_000_000})
    results = in_one_transaction(connection, [*add(1), echo, echo, *add(2)])
    assert [len(result.get_value(0, 0) or b"") for result in results] == [1, 5_000_000, 5_000_000, 1]
