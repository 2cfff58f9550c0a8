"""Several statements in one round trip and one transaction: all of them take effect, or none does."""

from __future__ import annotations

import itertools
import re
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus
from psycopg.waiting import Ready, Wait

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection
    from psycopg.abc import Buffer, PQGen
    from psycopg.pq.abc import PGconn, PGresult

Statement = tuple[str, "Mapping[str, Any]"]
"""A statement with named placeholders, and their values."""

Key = tuple[bytes, tuple[int, ...]]
"""A statement as the server takes it, and the types of its parameters."""

Prepared = dict[Key, bytes]
"""The names of what a connection has prepared."""

COMMAND_OK, FATAL_ERROR = ExecStatus.COMMAND_OK, ExecStatus.FATAL_ERROR

PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class RoundTrips:
    """Sends statements to the server all at once, prepared the first time that a connection carries them.

    What goes out is one piece, the end of the transaction included. psycopg's own pipeline sends a piece for each
    statement, and between two of them a thread may wait for others, or a process freeze, while its transaction holds
    locks.
    """

    def __init__(self) -> None:
        self._prepared: WeakKeyDictionary[Connection[Any], Prepared] = WeakKeyDictionary()
        self._numbers = itertools.count()

    def make(self, connection: Connection[Any], statements: Sequence[Statement]) -> list[PGresult]:
        """Execute these in a transaction of their own, and return the result of each. Raises `psycopg.Error`.

        The connection is to be in autocommit mode.
        """
        try:
            return self._make(connection, statements)
        except InvalidSqlStatementName:  # psycopg, whose connection it is, may have had everything deallocated
            self._prepared.pop(connection, None)
            return self._make(connection, statements)

    def _make(self, connection: Connection[Any], statements: Sequence[Statement]) -> list[PGresult]:
        bound = [_bound(connection, statement) for statement in statements]  # before anything is on its way
        prepared = self._prepared.setdefault(connection, {})
        being_prepared: Prepared = {}
        asked: list[Key | None] = []
        pgconn = connection.pgconn
        with connection.lock:
            pgconn.enter_pipeline_mode()
            try:
                for key, values, formats in bound:
                    if key not in prepared and key not in being_prepared:
                        being_prepared[key] = b"round_trip_%d" % next(self._numbers)
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


def _bound(connection: Connection[Any], statement: Statement) -> tuple[Key, Sequence[Buffer | None], Sequence[int]]:
    query, names = _positional(statement[0])
    transformer = Transformer(connection)
    values = transformer.dump_sequence([statement[1][name] for name in names], [PyFormat.AUTO] * len(names))
    return (query, transformer.types or ()), values, transformer.formats or ()


@cache
def _positional(query: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement as the server takes it, and the names of its parameters in their order."""
    names = tuple(dict.fromkeys(PLACEHOLDER.findall(query)))
    return PLACEHOLDER.sub(lambda found: f"${names.index(found[1]) + 1}", query).encode(), names


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
