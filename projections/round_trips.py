"""Statements on the way to the server and back, with as little around them as can be: in one piece, prepared.

What psycopg does for any statement at any time, with cursors and in small steps, takes longer than the server does to
answer a short one. Here a statement is prepared the first time that a connection carries it; one alone is a single call
into libpq, and several make one transaction in a single round trip.
"""

from __future__ import annotations

import itertools
import re
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

from psycopg import OperationalError
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.waiting import Ready, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psycopg import Connection, abc
    from psycopg.abc import Buffer, PQGen
    from psycopg.pq.abc import PGconn, PGresult

R = TypeVar("R")

Statement = tuple[str, "Mapping[str, Any]"]
"""A statement with named placeholders, and their values."""

Key = tuple[bytes, tuple[int, ...]]
"""A statement as the server takes it, and the types of its parameters."""

Bound = tuple[Key, "Sequence[Buffer | None]", "Sequence[int]"]
"""A statement, the values of its parameters as the server takes them, and the format of each."""

Prepared = dict[Key, bytes]
"""The names of what a connection has prepared."""

COMMAND_OK, FATAL_ERROR = ExecStatus.COMMAND_OK, ExecStatus.FATAL_ERROR
TEXT, BINARY = Format.TEXT, Format.BINARY
PLACEHOLDER = re.compile(r"%\((\w+)\)s")

_prepared: WeakKeyDictionary[Connection[Any], Prepared] = WeakKeyDictionary()
_numbers = itertools.count()


def rows_of(connection: Connection[Any], query: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Execute a statement in a transaction of its own, and return its rows. Raises `psycopg.Error`.

    The connection is to be in autocommit mode.
    """
    transformer = Transformer(connection)
    bound = _bound(transformer, (query, parameters))
    result = _again_if_forgotten(connection, lambda: _executed(connection, bound, BINARY))
    transformer.set_pgresult(result)
    return transformer.load_rows(0, result.ntuples, tuple)


def in_one_transaction(connection: Connection[Any], statements: Sequence[Statement]) -> list[PGresult]:
    """Execute these in a transaction of their own, and return the result of each. Raises `psycopg.Error`.

    What goes out is one piece, the end of the transaction included. psycopg's own pipeline sends a piece for each
    statement, and between two of them a thread may wait for others, or a process freeze, while its transaction holds
    locks. The connection is to be in autocommit mode.
    """
    transformer = Transformer(connection)
    bound = [_bound(transformer, statement) for statement in statements]  # before anything is on its way
    if len(bound) == 1:
        return [_again_if_forgotten(connection, lambda: _executed(connection, bound[0], TEXT))]
    return _again_if_forgotten(connection, lambda: _piped(connection, bound))


def _again_if_forgotten(connection: Connection[Any], execute: Callable[[], R]) -> R:
    try:
        return execute()
    except InvalidSqlStatementName:  # psycopg, whose connection it is, may have had everything deallocated
        _prepared.pop(connection, None)
        return execute()


def _executed(connection: Connection[Any], bound: Bound, form: int) -> PGresult:
    key, values, formats = bound
    prepared, pgconn = _prepared.setdefault(connection, {}), connection.pgconn
    name = prepared.get(key)
    with connection.lock:
        try:
            if name is None:
                name = _new_name()
                _require_done(pgconn, pgconn.prepare(name, *key))
                prepared[key] = name
            given = cast("Sequence[Buffer]", values)  # None is taken too, whatever the library's type says
            return _require_done(pgconn, pgconn.exec_prepared(name, given, formats, form))
        except MemoryError:  # so psycopg tells that libpq gave it nothing
            raise _lost(pgconn) from None


def _require_done(pgconn: PGconn, result: PGresult) -> PGresult:
    if result.status == FATAL_ERROR:
        raise _lost(pgconn) if pgconn.status == ConnStatus.BAD else error_from_result(result)
    return result


def _lost(pgconn: PGconn) -> OperationalError:
    return OperationalError(pgconn.get_error_message())


def _piped(connection: Connection[Any], statements: Sequence[Bound]) -> list[PGresult]:
    prepared = _prepared.setdefault(connection, {})
    being_prepared: Prepared = {}
    asked: list[Key | None] = []
    pgconn = connection.pgconn
    with connection.lock:
        pgconn.enter_pipeline_mode()
        try:
            for key, values, formats in statements:
                if key not in prepared and key not in being_prepared:
                    being_prepared[key] = _new_name()
                    pgconn.send_prepare(being_prepared[key], *key)
                    asked.append(key)
                pgconn.send_query_prepared(prepared.get(key) or being_prepared[key], values, formats)
                asked.append(None)
            pgconn.pipeline_sync()
            results = connection.wait(_exchange(pgconn))
        finally:
            pgconn.exit_pipeline_mode()
    answers = list(zip(asked, results, strict=True))
    prepared |= {key: being_prepared[key] for key, result in answers if key and result.status == COMMAND_OK}
    for result in results:
        if result.status == FATAL_ERROR:
            raise error_from_result(result)
    return [result for key, result in answers if key is None]


def _new_name() -> bytes:
    return b"round_trip_%d" % next(_numbers)


def _bound(transformer: abc.Transformer, statement: Statement) -> Bound:
    query, names, any_formats = _positional(statement[0])
    values = transformer.dump_sequence([statement[1][name] for name in names], any_formats)
    return (query, transformer.types or ()), values, transformer.formats or ()


@cache
def _positional(query: str) -> tuple[bytes, tuple[str, ...], list[PyFormat]]:
    """Return a statement as the server takes it, the names of its parameters in their order, and a format for each."""
    names = tuple(dict.fromkeys(PLACEHOLDER.findall(query)))
    numbered = PLACEHOLDER.sub(lambda found: f"${names.index(found[1]) + 1}", query).encode()
    return numbered, names, [PyFormat.AUTO] * len(names)


def _exchange(pgconn: PGconn) -> PQGen[list[PGresult]]:
    """Send what is queued, receiving meanwhile, and return the results up to the end of the transaction."""
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
            if result is None:  # so ends what there is of one statement
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)
