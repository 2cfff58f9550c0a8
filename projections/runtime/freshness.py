"""Read-your-writes for views: a read waits until the view contains every event recorded before the read began."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from adapters.postgres.event_store.settled_reads import recorded_position
from adapters.postgres.prepared_statements import fetch_all
from adapters.postgres.sql_files import statements
from application.errors import InvalidValue, ProjectionBehind
from application.request_deadlines import within_deadline
from domain.refusals import AccountNotFound

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from uuid import UUID

    from psycopg import Connection
    from psycopg.rows import DictRow

SQL = statements("projections.runtime", "freshness")

MAX_WAIT_SECONDS = 5.0
"""Time that a read waits for a view before it fails."""

SHORT_WAIT_SECONDS = 0.25
"""Time that any number of reads may wait at once. A healthy view lags a few milliseconds."""

MAX_CONCURRENT_LONG_WAITS = 8
"""Number of reads per process that may wait longer than `SHORT_WAIT_SECONDS`: each one occupies a server thread."""

INITIAL_POLL_SECONDS = 0.001
MAX_POLL_SECONDS = 0.02


class Database(Protocol):
    """Source of connections with dictionary rows."""

    def get_connection(self) -> AbstractContextManager[Connection[DictRow]]:
        """Yield a connection in autocommit mode."""


class Freshness:
    """Waits for views to catch up.

    Raises `ProjectionBehind` if a view takes too long, or if too many reads are waiting already.
    """

    def __init__(self, database: Database, long_waits: int = MAX_CONCURRENT_LONG_WAITS) -> None:
        self._database = database
        self._long_waits = threading.BoundedSemaphore(long_waits)

    def wait_for_account(self, account_id: UUID, min_position: int | None) -> None:
        """Wait until the view of sub-users has every event of the account, and has reached `min_position` if given.

        Raises `AccountNotFound`.
        """
        target: int | None = None

        def is_fresh(connection: Connection[DictRow]) -> bool:
            nonlocal target
            (versions,) = fetch_all(connection, SQL["account_versions"], {"account_id": account_id})
            if versions.stream_version is None:
                raise AccountNotFound
            target = versions.stream_version if target is None else target
            return versions.view_version is not None and versions.view_version >= target

        self._wait(is_fresh)
        if min_position is not None:
            self.wait_for_view("sub-users", min_position)

    def wait_for_view(self, name: str, min_position: int | None = None) -> None:
        """Wait until a view contains every event recorded before this call, or has reached `min_position` if given.

        Some of these events may not be settled yet. The view gets them once earlier writers have ended.
        """
        if min_position is not None:
            self._require_assigned(min_position)
        target = min_position

        def is_fresh(connection: Connection[DictRow]) -> bool:
            nonlocal target
            if target is None:
                target = recorded_position(connection)
            row = connection.execute(SQL["view_position"], {"name": name}, prepare=True).fetchone()
            return row is not None and row["position"] >= target

        self._wait(is_fresh)

    def _require_assigned(self, position: int) -> None:
        """Raise `InvalidValue` for a position that was never assigned: no view would ever reach it."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["last_position"]).fetchone()
        if row is None or position > row["last_value"]:
            raise InvalidValue("Event-Position", "must be a position from an earlier response")

    def _wait(self, is_fresh: Callable[[Connection[Any]], bool]) -> None:
        started_at = time.monotonic()
        max_wait = within_deadline(MAX_WAIT_SECONDS)
        if self._becomes_fresh(is_fresh, started_at + min(SHORT_WAIT_SECONDS, max_wait)):
            return
        if not self._long_waits.acquire(blocking=False):
            raise ProjectionBehind
        try:
            if not self._becomes_fresh(is_fresh, started_at + max_wait):
                raise ProjectionBehind
        finally:
            self._long_waits.release()

    def _becomes_fresh(self, is_fresh: Callable[[Connection[Any]], bool], deadline: float) -> bool:
        pause = INITIAL_POLL_SECONDS
        while True:
            with self._database.get_connection() as connection:
                if is_fresh(connection):
                    return True
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, MAX_POLL_SECONDS)
