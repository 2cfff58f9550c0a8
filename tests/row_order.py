"""Random order of rows that a statement does not order.

SQL promises no order without ORDER BY. On the small tables of tests, PostgreSQL nearly always returns rows in the order
of their insertion, which hides code that depends on it.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from psycopg import Cursor
from psycopg.sql import Composable

from adapters.postgres import prepared_statements

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def rows_in_random_order() -> Iterator[None]:
    """Return rows in random order from statements without ORDER BY, for this process."""
    load_rows, fetch_all = prepared_statements._load_rows, Cursor.fetchall  # noqa: SLF001  # loads all prepared rows

    def load_in_random_order(query: str, *arguments: Any) -> list[Any]:
        return _in_random_order(query, load_rows(query, *arguments))

    def fetch_in_random_order(cursor: Cursor[Any]) -> list[Any]:
        return _in_random_order(_query_of(cursor), fetch_all(cursor))

    def iterate_in_random_order(cursor: Cursor[Any]) -> Iterator[Any]:
        return iter(fetch_in_random_order(cursor))

    with (
        patch.object(prepared_statements, "_load_rows", load_in_random_order),
        patch.object(Cursor, "fetchall", fetch_in_random_order),
        patch.object(Cursor, "__iter__", iterate_in_random_order),
    ):
        yield


def _query_of(cursor: Cursor[Any]) -> str:
    query: Any = cursor._last_query  # noqa: SLF001  # as it was passed: text, or composed SQL
    return query.as_string(cursor) if isinstance(query, Composable) else str(query)


def _in_random_order(query: str, rows: list[Any]) -> list[Any]:
    if "ORDER BY" not in query.upper():
        random.shuffle(rows)
    return rows
