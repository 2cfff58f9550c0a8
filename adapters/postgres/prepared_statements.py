"""Prepared statements without psycopg's cursors, and transactions of several statements in one round trip.

A cursor costs as much CPU time as PostgreSQL needs to execute a short statement. This module prepares each statement
when a connection first executes it. Every exchange goes through `Connection.wait`, which enforces deadlines.

The line "list of 10 sub-users" of docs/performance.md needs it: with psycopg's cursors the ratio falls from 0.61 to
0.48, below its bar of 0.6.
"""

from __future__ import annotations

import itertools
import re
from collections import namedtuple
from dataclasses import fields
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, Format
from psycopg.rows import RowFactory, namedtuple_row
from psycopg.waiting import Ready, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psycopg import Connection, abc
    from psycopg.abc import Buffer, PQGen
    from psycopg.pq.abc import PGconn, PGresult

R = TypeVar("R")

Statement = tuple[str, "Mapping[str, Any]"]
"""SQL with named placeholders, and their values."""

StatementKey = tuple[bytes, tuple[int, ...]]
"""SQL with numbered placeholders, and the type OIDs of its parameters."""

BoundStatement = tuple[StatementKey, "Sequence[Buffer | None]", "Sequence[int]"]
"""The key of a statement, its encoded parameters, and the format of each."""

PreparedNames = dict[StatementKey, bytes]
"""Names of a connection's prepared statements, least recently used first."""

COMMAND_OK, FATAL_ERROR = ExecStatus.COMMAND_OK, ExecStatus.FATAL_ERROR
TEXT, BINARY = Format.TEXT, Format.BINARY
MAX_PREPARED = 100
"""Prepared statements per connection, the same limit as psycopg's own. List filters produce hundreds of variants, and
each prepared statement costs the server memory for as long as the connection lives."""

PLACEHOLDER = re.compile(r"%\((\w+)\)s")

named_row: RowFactory[Any] = namedtuple_row
"""Row factory for psycopg's cursors that returns the same kind of rows as `fetch_all`."""

_prepared: WeakKeyDictionary[Connection[Any], PreparedNames] = WeakKeyDictionary()
_numbers = itertools.count()
_row_factories: dict[str, Callable[[Sequence[Any]], Any]] = {}


def fetch_all(connection: Connection[Any], query: str, parameters: Mapping[str, Any]) -> list[Any]:
    """Execute a statement in its own transaction, and return its rows as named tuples. Raises `psycopg.Error`.

    The connection must be in autocommit mode.
    """
    transformer = Transformer(connection)
    bound = _bind(transformer, (query, parameters))
    result = _retry_if_deallocated(connection, lambda: _execute_one(connection, bound, BINARY))
    return _load_rows(query, transformer, result)


def dataclass_factory(row_type: type[R]) -> Callable[[Any], R]:
    """Return a function that converts a row to a dataclass. The row must have a column for each field."""
    values = attrgetter(*(field.name for field in fields(cast("Any", row_type))))
    return lambda row: row_type(*values(row))


def execute_transaction(connection: Connection[Any], statements: Sequence[Statement]) -> list[PGresult]:
    """Execute statements in one transaction and one round trip, and return their results. Raises `psycopg.Error`.

    All statements and the end of the transaction are sent at once. psycopg's own pipeline sends each statement
    separately. Between two of them the thread can wait for the GIL, or the process can freeze, while the
    transaction holds locks. The connection must be in autocommit mode.
    """
    transformer = Transformer(connection)
    bound = [_bind(transformer, statement) for statement in statements]  # a value that cannot be encoded fails here
    if len(bound) == 1:
        return [_retry_if_deallocated(connection, lambda: _execute_one(connection, bound[0], TEXT))]
    return _retry_if_deallocated(connection, lambda: _execute_pipeline(connection, bound))


def _load_rows(query: str, transformer: abc.Transformer, result: PGresult) -> list[Any]:
    transformer.set_pgresult(result)
    return transformer.load_rows(0, result.ntuples, _row_factory(query, result))


def _row_factory(query: str, result: PGresult) -> Callable[[Sequence[Any]], Any]:
    """Return a function that makes a named tuple of a row's values, cached by query."""
    row_factory = _row_factories.get(query)
    if row_factory is None:
        names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
        row_type = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024  # the names are data
        row_factory = _row_factories[query] = partial(tuple.__new__, row_type)  # `_make` takes three times as long
    return row_factory


def _retry_if_deallocated(connection: Connection[Any], execute: Callable[[], R]) -> R:
    try:
        return execute()
    except InvalidSqlStatementName:  # psycopg can run DEALLOCATE ALL on its connection
        _prepared.pop(connection, None)
        return execute()


def _execute_one(connection: Connection[Any], bound: BoundStatement, result_format: int) -> PGresult:
    key, values, formats = bound
    prepared, pgconn = _prepared.setdefault(connection, {}), connection.pgconn
    name = prepared.pop(key, None)
    with connection.lock:
        if name is None:
            name = _new_name()
            pgconn.send_prepare(name, *key)
            _raise_on_error(_receive_result(connection))
        prepared[key] = name  # most recently used, so at the end
        pgconn.send_query_prepared(name, values, formats, result_format)
        result = _raise_on_error(_receive_result(connection))
        if len(prepared) > MAX_PREPARED:
            _deallocate_least_recently_used(connection, prepared)
    return result


def _receive_result(connection: Connection[Any]) -> PGresult:
    """Receive the result of the only statement sent, within the connection's deadline."""
    results: list[PGresult] = connection.wait(execute(connection.pgconn))
    return results[-1]


def _raise_on_error(result: PGresult) -> PGresult:
    if result.status == FATAL_ERROR:
        raise error_from_result(result)
    return result


def _deallocate_least_recently_used(connection: Connection[Any], prepared: PreparedNames) -> None:
    """Deallocate the least recently used statements. The server keeps plans of all prepared statements."""
    pgconn = connection.pgconn
    while len(prepared) > MAX_PREPARED:
        pgconn.send_query(b"DEALLOCATE " + prepared.pop(next(iter(prepared))))
        _raise_on_error(_receive_result(connection))


def _execute_pipeline(connection: Connection[Any], statements: Sequence[BoundStatement]) -> list[PGresult]:
    prepared = _prepared.setdefault(connection, {})
    new_statements: PreparedNames = {}
    sent_keys: list[StatementKey | None] = []  # the key of a PREPARE, None for an execution
    pgconn = connection.pgconn
    with connection.lock:
        pgconn.enter_pipeline_mode()
        try:
            for key, values, formats in statements:
                if key in prepared:
                    prepared[key] = prepared.pop(key)  # most recently used, so at the end
                elif key not in new_statements:
                    new_statements[key] = _new_name()
                    pgconn.send_prepare(new_statements[key], *key)
                    sent_keys.append(key)
                pgconn.send_query_prepared(prepared.get(key) or new_statements[key], values, formats)
                sent_keys.append(None)
            pgconn.pipeline_sync()
            results = connection.wait(_send_and_receive(pgconn))
        finally:
            pgconn.exit_pipeline_mode()
    keys_and_results = list(zip(sent_keys, results, strict=True))
    prepared |= {key: new_statements[key] for key, result in keys_and_results if key and result.status == COMMAND_OK}
    for result in results:
        if result.status == FATAL_ERROR:
            raise error_from_result(result)
    if len(prepared) > MAX_PREPARED:
        with connection.lock:
            _deallocate_least_recently_used(connection, prepared)
    return [result for key, result in keys_and_results if key is None]


def _new_name() -> bytes:
    return b"statement_%d" % next(_numbers)


def _bind(transformer: abc.Transformer, statement: Statement) -> BoundStatement:
    query, names, any_formats = _positional(statement[0])
    values = transformer.dump_sequence([statement[1][name] for name in names], any_formats)
    return (query, transformer.types or ()), values, transformer.formats or ()


@cache
def _positional(query: str) -> tuple[bytes, tuple[str, ...], list[PyFormat]]:
    """Return the SQL with numbered placeholders, the parameter names in that order, and a format for each."""
    names = tuple(dict.fromkeys(PLACEHOLDER.findall(query)))
    numbered = PLACEHOLDER.sub(lambda match: f"${names.index(match[1]) + 1}", query).encode()
    return numbered, names, [PyFormat.AUTO] * len(names)


def _send_and_receive(pgconn: PGconn) -> PQGen[list[PGresult]]:
    """Send the queued messages while receiving, and return the results up to the pipeline's sync point."""
    results: list[PGresult] = []
    sent = pgconn.flush() == 0
    while True:
        ready = yield Wait.R if sent else Wait.RW
        if ready & Ready.R:
            pgconn.consume_input()
        if ready & Ready.W:
            sent = pgconn.flush() == 0
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:  # end of one statement's results
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)
