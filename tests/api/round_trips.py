"""Count of the round trips to the database."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import psycopg

from adapters.postgres import clock, prepared_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class RoundTripCounter:
    """Number of statements and pipelines that the test's thread has sent.

    Other threads record the use of keys and apply events. Now and then, any request prepares a statement or reads the
    database's clock; these round trips are not counted.
    """

    count: int = 0


@contextmanager
def counting_round_trips() -> Iterator[RoundTripCounter]:
    """Count the round trips of this thread until the block ends."""
    counter, own_thread = RoundTripCounter(), threading.get_ident()
    execute_with_cursor = psycopg.Cursor.execute

    def counted(execute: Callable[..., Any]) -> Callable[..., Any]:
        def count_and_execute(*args: Any, **kwargs: Any) -> Any:
            counter.count += threading.get_ident() == own_thread
            return execute(*args, **kwargs)

        return count_and_execute

    def count_and_execute_with_cursor(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        counter.count += threading.get_ident() == own_thread and query != clock.QUERY
        return execute_with_cursor(cursor, query, *args, **kwargs)

    with (
        patch.object(psycopg.Cursor, "execute", count_and_execute_with_cursor),
        patch.object(prepared_statements, "_execute_one", counted(prepared_statements._execute_one)),  # noqa: SLF001
        patch.object(prepared_statements, "_execute_pipeline", counted(prepared_statements._execute_pipeline)),  # noqa: SLF001
    ):
        yield counter
