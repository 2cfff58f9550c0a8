"""Prepared statements: pipelined execution, atomic transactions, errors and row mapping."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest

from adapters.postgres.prepared_statements import dataclass_factory, execute_transaction, fetch_all
from tests.postgres import connect, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from adapters.postgres.prepared_statements import Statement

ADD = "INSERT INTO numbers VALUES (%(number)s) RETURNING number"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    """Yield a connection to a database with a table of numbers."""
    with connect(database_url) as connection:
        connection.execute("CREATE TABLE numbers (number bigint PRIMARY KEY)")
        yield connection


def add(*numbers: object) -> list[Statement]:
    return [(ADD, {"number": number}) for number in numbers]


def numbers(url: str) -> list[int]:
    return [row[0] for row in fetch(url, "SELECT number FROM numbers ORDER BY 1")]


def test_results_are_in_the_order_of_the_statements(connection: Connection) -> None:
    """Covers new and prepared statements, and 64-bit integers."""
    for first in (0, 10, 20):
        results = execute_transaction(
            connection, [*add(first, first + 1), ("SELECT %(a)s::int + %(b)s + %(a)s", {"a": 1, "b": 2})]
        )
        assert [result.get_value(0, 0) for result in results] == [b"%d" % first, b"%d" % (first + 1), b"4"]
    (large,) = execute_transaction(connection, add(2**40))
    assert large.get_value(0, 0) == b"%d" % 2**40


def test_failed_statement_rolls_back_the_transaction(connection: Connection, database_url: str) -> None:
    """Statements before and after it have no effect, and the connection stays usable."""
    for _ in range(2):
        with pytest.raises(psycopg.errors.UniqueViolation, match="numbers_pkey"):
            execute_transaction(
                connection, [*add(1), ("DELETE FROM numbers WHERE number = 7", {}), *add(1), ("SELECT 1", {})]
            )
        assert numbers(database_url) == []
    execute_transaction(connection, [*add(1), ("SELECT 1", {})])
    assert numbers(database_url) == [1]


def test_value_without_an_adapter_is_refused_before_sending(connection: Connection, database_url: str) -> None:
    with pytest.raises(psycopg.ProgrammingError, match="object"):
        execute_transaction(connection, add(1, object()))
    execute_transaction(connection, add(2))
    assert numbers(database_url) == [2]


def test_fetch_all_returns_python_values(connection: Connection) -> None:
    """Covers new and prepared statements."""
    moment = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    query = "SELECT %(moment)s::timestamptz, %(bytes)s::bytea, %(text)s::text, ARRAY[%(id)s::uuid], NULL FROM one"
    connection.execute("CREATE TABLE one AS SELECT 1")
    for number in range(3):
        parameters = {"moment": moment, "bytes": b"\x00'", "text": f"{number} \u20ac", "id": UUID(int=number)}
        assert fetch_all(connection, query, parameters) == [
            (moment, b"\x00'", f"{number} \u20ac", [UUID(int=number)], None)
        ]
    assert fetch_all(connection, "SELECT 1 FROM one WHERE %(never)s", {"never": False}) == []


def test_fetch_all_raises_database_errors(connection: Connection) -> None:
    """The connection stays usable."""
    for _ in range(2):
        assert fetch_all(connection, *add(1)[0]) == [(1,)]
        with pytest.raises(psycopg.errors.UniqueViolation, match="numbers_pkey"):
            fetch_all(connection, *add(1)[0])
        connection.execute("DELETE FROM numbers")
    with pytest.raises(psycopg.errors.UndefinedTable):
        fetch_all(connection, "SELECT 1 FROM nothing", {})
    assert fetch_all(connection, *add(1)[0]) == [(1,)]


@pytest.mark.parametrize("count", [1, 2])
def test_deallocated_statements_are_prepared_again(connection: Connection, database_url: str, count: int) -> None:
    """Psycopg deallocates all prepared statements of a connection, for example after a rollback."""
    execute_transaction(connection, add(*range(count)))
    connection.execute("DEALLOCATE ALL")
    execute_transaction(connection, add(*range(count, 2 * count)))
    assert numbers(database_url) == list(range(2 * count))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("prepared", [True, False], ids=["prepared", "new"])
def test_lost_connection_raises_operational_error(
    connection: Connection, database_url: str, count: int, *, prepared: bool
) -> None:
    """Nothing is committed. A second attempt on the same connection fails in the same way."""
    if prepared:
        execute_transaction(connection, add(*range(count)))
        connection.execute("DELETE FROM numbers")
    fetch(database_url, "SELECT pg_terminate_backend(%s)", connection.info.backend_pid)
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            execute_transaction(connection, add(*range(count)))
    assert numbers(database_url) == []


def test_results_larger_than_the_socket_buffers_do_not_deadlock(connection: Connection, database_url: str) -> None:
    echo = ("SELECT %(much)s::text", {"much": "x" * 5_000_000})
    results = execute_transaction(connection, [*add(1), echo, echo, *add(2)])
    assert [len(result.get_value(0, 0) or b"") for result in results] == [1, 5_000_000, 5_000_000, 1]


@dataclass(frozen=True)
class NameAndAge:
    """Target of the row mapping."""

    name: str
    age: int


@pytest.mark.parametrize("query", ["SELECT 'Ada' AS name, 36 AS age", "SELECT 36 AS age, 'Ada' AS name"])
def test_rows_are_mapped_by_column_name(connection: psycopg.Connection[Any], query: str) -> None:
    """The order of the columns does not matter, on any execution of the statement."""
    for _ in range(3):
        (row,) = fetch_all(connection, query, {})
        assert (row.name, row.age) == ("Ada", 36)
        assert dataclass_factory(NameAndAge)(row) == NameAndAge("Ada", 36)


def test_missing_column_is_an_error(connection: psycopg.Connection[Any]) -> None:
    (row,) = fetch_all(connection, "SELECT 'Ada' AS name", {})
    with pytest.raises(AttributeError):
        dataclass_factory(NameAndAge)(row)
