"""Client-side deadlines for every exchange with PostgreSQL.

The server's limits (`lock_timeout`, `statement_timeout`) need a running server. They do not help against a frozen
server, a network that drops packets, or a COMMIT that waits for a synchronous standby. All exchanges, psycopg's own and
those of `adapters.postgres.prepared_statements`, go through `Connection.wait`, which enforces the deadline.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import generators
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import ConnStatus
from psycopg.rows import Row
from psycopg.waiting import wait_conn

from adapters.postgres.sqlstates import outage_of
from application.request_deadlines import add_database_time, within_deadline

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGcancelConn

R = TypeVar("R")

CONNECT_SECONDS = 5
"""Limit for connecting, authentication included, and for the wait for a pooled connection."""

CANCEL_SECONDS = 2.0
"""Limit for requesting a cancellation."""

MAX_CANCELLATIONS = 16
_cancellation_slots = threading.BoundedSemaphore(MAX_CANCELLATIONS)

CHECK_INTERVAL_SECONDS = 0.1
"""Interval at which a wait checks for Ctrl-C; psycopg's default."""


@dataclass(frozen=True)
class Limits:
    """Limits in seconds: the server's for a lock and a statement, and the client's for an exchange.

    The client's limit is the longest, so that a running server ends the statement first and reports the reason.
    """

    lock: int
    statement: int
    exchange: int


REQUEST_LIMITS = Limits(lock=5, statement=7, exchange=8)
"""For HTTP requests, which occupy a thread. Their statements take less than a second."""

BACKGROUND_LIMITS = Limits(lock=5, statement=30, exchange=35)
"""For the workers and the command line, whose statements handle larger batches."""

FOLLOWER_SECONDS = 60.0
"""For followers: a batch may wait for the end of a rebuild."""

LONG_SECONDS = 3600.0
"""For migrations, rebuilds and the check of the whole store. Building an index is a single statement."""

LIBPQ_OPTIONS = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "target_session_attrs": "read-write",
}
"""TCP detects a lost server by itself. Connections to a standby or a demoted primary are refused. Times are in seconds,
except `tcp_user_timeout`, which is in milliseconds."""

SERVER_OPTIONS = (
    "-c timezone=UTC -c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 "
    "-c client_connection_check_interval=2s "
    r"-c tcp_user_timeout=30000 -c default_transaction_isolation=read\ committed -c search_path=public,pg_temp"
)
"""Keepalives let the server detect a lost client and release its locks, above all the leader lock of a projection.
While a statement runs, the server checks every two seconds whether its client has closed the connection: a cancellation
has no effect on a statement that the server has not started yet.

Reads by position rely on the isolation level (`event_store/sql/appending.sql`). The search path finds the service's
tables before temporary ones, so that a temporary table cannot replace them."""


class DeadlineExceeded(psycopg.OperationalError):
    """The database did not answer in time. The statement may or may not have taken effect."""


class Unavailable(psycopg.OperationalError):
    """The database is temporarily unavailable, reported by an error that psycopg does not classify as operational."""


class BoundedConnection(psycopg.Connection[Row]):
    """Connection that closes itself when an exchange takes longer than `exchange_seconds`."""

    exchange_seconds: float = REQUEST_LIMITS.exchange
    connected_at: float = 0.0

    def wait(self, gen: PQGen[R], interval: float = CHECK_INTERVAL_SECONDS, timeout: float | None = None) -> R:
        """Run an exchange to its end. Raises `DeadlineExceeded`, or `Unavailable` for an outage.

        A `timeout` limits a wait for notifications. When it passes, the connection stays usable.
        """
        seconds = within_deadline(self.exchange_seconds) if timeout is None else timeout
        started_at = time.perf_counter()
        try:
            return super().wait(gen, interval, seconds)
        except psycopg.OperationalError as error:
            if error.sqlstate is None and timeout is None and self.pgconn.status == ConnStatus.OK:
                self._cancel()
                self.pgconn.finish()  # a late result would be taken for that of the next statement
                raise DeadlineExceeded(f"no response from the database within {seconds:.3g} s") from error
            raise
        except psycopg.Error as error:
            if (outage := outage_of(error)) is None:
                raise
            if outage.is_fatal:
                self.pgconn.finish()
            raise Unavailable(str(error)) from error
        finally:
            add_database_time(time.perf_counter() - started_at)

    def _cancel(self) -> None:
        """Request cancellation of the running statement, in a background thread.

        A commit that waits for a standby does not notice that its client is gone. It would keep its connection and
        locks until the standby is back, and about a hundred such commits would exhaust the server's connections.
        """
        if not _cancellation_slots.acquire(blocking=False):
            return  # a server that ignores the pending cancellations will ignore this one too
        try:
            cancel_connection = self.pgconn.cancel_conn()
            cancel_connection.start()
            threading.Thread(target=_finish_cancelling, args=[cancel_connection], name="cancel", daemon=True).start()
        except (psycopg.Error, RuntimeError):
            _cancellation_slots.release()


def _finish_cancelling(cancel_connection: PGcancelConn) -> None:
    try:
        with suppress(psycopg.Error):
            wait_conn(generators.cancel(cancel_connection), CHECK_INTERVAL_SECONDS, CANCEL_SECONDS)
    finally:
        cancel_connection.finish()
        _cancellation_slots.release()


def connect(url: str, purpose: str, exchange_seconds: float) -> BoundedConnection[Any]:
    """Open a connection in autocommit mode, outside the pool and without a statement timeout on the server."""
    parameters: dict[str, Any] = {**LIBPQ_OPTIONS, **conninfo_to_dict(url)}
    parameters |= {"application_name": f"subusers {purpose}", "options": SERVER_OPTIONS}
    connection = BoundedConnection.connect(make_conninfo("", **parameters), autocommit=True)
    connection.exchange_seconds = exchange_seconds
    return connection
