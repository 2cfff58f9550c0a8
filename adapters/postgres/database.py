"""PostgreSQL for the eventsourcing library: connection pool, translation of driver errors, and recorders."""

from __future__ import annotations

import select
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import psycopg
from eventsourcing.persistence import (
    DatabaseError,
    DataError,
    IntegrityError,
    InternalError,
    NotSupportedError,
    PersistenceError,
    ProgrammingError,
)
from eventsourcing.postgres import ConnectionPool, PostgresDatastore, PostgresFactory
from eventsourcing.utils import Environment
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ConnStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import PoolTimeout

from adapters.postgres.deadlines import (
    CONNECT_SECONDS,
    LIBPQ_OPTIONS,
    REQUEST_LIMITS,
    SERVER_OPTIONS,
    BoundedConnection,
    Limits,
)
from adapters.postgres.event_store.recorder import Recorder
from adapters.postgres.event_store.snapshot_recorder import SnapshotRecorder
from adapters.postgres.sqlstates import outage_of
from application.errors import StoreUnavailable
from application.request_deadlines import within_deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection

    from adapters.postgres.clock import DatabaseClock
    from adapters.postgres.event_store.lineage import Lineage

RECONNECT_SECONDS = 2
"""Total time of the pool's attempts to reconnect, after which it starts over. The pause between attempts doubles each
time. With the pool's default of five minutes it would grow to minutes, and delay the recovery from an outage."""

IDLE_IN_TRANSACTION_SECONDS = 5
"""A process that freezes in a transaction delays others by its locks for this long at most."""

LIBRARY_ERROR_BY_DRIVER_ERROR: dict[type[psycopg.Error], type[PersistenceError]] = {
    psycopg.DataError: DataError,
    psycopg.IntegrityError: IntegrityError,
    psycopg.InternalError: InternalError,
    psycopg.ProgrammingError: ProgrammingError,
    psycopg.NotSupportedError: NotSupportedError,
    psycopg.DatabaseError: DatabaseError,
}
"""The first match applies, so subclasses come before `DatabaseError`."""


class Database(PostgresDatastore):
    """Datastore of the eventsourcing library that takes a connection string and has a connection pool of its own.

    Raises `StoreUnavailable` if PostgreSQL cannot be reached or cannot serve requests.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int,
        limits: Limits = REQUEST_LIMITS,
        lineage: Lineage | None = None,
        clock: DatabaseClock | None = None,
    ) -> None:
        """Connect lazily. Every new connection is checked by `lineage` and synchronizes `clock`, if they are given."""
        super().__init__(dbname="", host="", port="", user="", password="")  # for the library's pool, replaced below
        parameters = {**LIBPQ_OPTIONS, "application_name": "subusers", **conninfo_to_dict(url)}
        parameters["options"] = f"{parameters.get('options', '')} {SERVER_OPTIONS} {_server_limits(limits)}"
        self._limits = limits
        self._lineage = lineage
        self._clock = clock
        self._lock = threading.Lock()
        self._drained_at = 0.0
        self._connect_error: psycopg.Error | None = None
        self.pool = ConnectionPool(
            connection_class=self._connection_class(),
            kwargs={**parameters, "row_factory": dict_row, "autocommit": True},
            min_size=1,
            max_size=pool_size,
            open=False,
            configure=self._configure,
            check=self._check,
            timeout=CONNECT_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
        )

    def close(self) -> None:
        """Close all connections."""
        self.pool.close()

    @contextmanager
    def get_connection(self) -> Iterator[Connection[DictRow]]:
        """Yield a pooled connection in autocommit mode. Raises `StoreUnavailable` or another `PersistenceError`."""
        try:
            connection = self._check_out()
            try:
                if self._clock is not None and self._clock.is_due:
                    self._clock.measure(connection)
                yield connection
            except psycopg.Error as error:
                self._discard_lost(connection, error)
                raise
            finally:
                self.pool.putconn(connection)
        except psycopg.Error as error:
            if outage_of(error) is not None or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                raise StoreUnavailable from error
            raise _library_error_class(error)(str(error)) from error

    def _check_out(self) -> Connection[DictRow]:
        if self.pool.closed:
            self.pool.open()
        try:
            return self.pool.getconn(within_deadline(CONNECT_SECONDS))
        except PoolTimeout as timeout:
            if self._connect_error is None:
                raise
            raise self._connect_error from timeout

    def _connection_class(self) -> type[BoundedConnection[DictRow]]:
        """Return a connection class that stores the error of the last failed attempt, which the pool hides."""

        class PooledConnection(BoundedConnection[DictRow]):
            @classmethod
            def connect(cls, *args: Any, **kwargs: Any) -> Self:
                try:
                    return super().connect(*args, **kwargs)
                except psycopg.Error as error:
                    self._connect_error = error
                    raise

        return PooledConnection

    def _configure(self, connection: Connection[DictRow]) -> None:
        if isinstance(connection, BoundedConnection):
            connection.exchange_seconds = self._limits.exchange
            connection.connected_at = time.monotonic()
        if self._lineage is not None:
            self._lineage.check(connection)
        if self._clock is not None:
            self._clock.measure(connection)
        self._connect_error = None

    def _check(self, connection: Connection[DictRow]) -> None:
        """Raise `psycopg.Error` if the server has closed the idle connection or has become read-only."""
        try:
            _ensure_usable(connection)
        except psycopg.Error as error:
            self._discard_lost(connection, error)
            raise

    def _discard_lost(self, connection: Connection[DictRow], error: psycopg.Error) -> None:
        """Close a connection that an outage has ended, and replace all idle connections.

        They were lost in the same outage, and would fail one by one. A connection made before the last replacement
        belongs to an outage that has been dealt with: it is only closed. Other errors change nothing.
        """
        outage = outage_of(error)
        if outage is None or not (outage.is_fatal or connection.closed):
            return
        connection.close()
        with self._lock:
            if getattr(connection, "connected_at", 0.0) < self._drained_at:
                return
            self._drained_at = time.monotonic()
        self.pool.drain()


def _library_error_class(error: psycopg.Error) -> type[PersistenceError]:
    """Return the eventsourcing library's error class for a driver error."""
    for driver_class, library_class in LIBRARY_ERROR_BY_DRIVER_ERROR.items():
        if isinstance(error, driver_class):
            return library_class
    return PersistenceError


def _ensure_usable(connection: Connection[DictRow]) -> None:
    pgconn = connection.pgconn
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    if poll.poll(0):  # the server closed the connection, or sent a message such as a changed parameter
        pgconn.consume_input()
        if pgconn.is_busy() or pgconn.status != ConnStatus.OK:
            raise psycopg.OperationalError("the server has closed this connection")
    if b"on" in (pgconn.parameter_status(b"in_hot_standby"), pgconn.parameter_status(b"default_transaction_read_only")):
        raise psycopg.OperationalError("the server has become read-only")


def _server_limits(limits: Limits) -> str:
    return (
        f"-c lock_timeout={limits.lock}s -c statement_timeout={limits.statement}s "
        f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS}s"
    )


class Factory(PostgresFactory):
    """Factory through which the eventsourcing library gets this project's datastore and recorders.

    The library requires the connection settings below, but `Database` replaces the datastore that it makes of them. It
    creates no tables, because the migrations do.
    """

    def __init__(
        self, database: Database, on_commit: Callable[[], None], record_position: Callable[[int], None]
    ) -> None:
        super().__init__(
            Environment(
                "",
                {
                    "POSTGRES_DBNAME": "x",
                    "POSTGRES_HOST": "x",
                    "POSTGRES_USER": "x",
                    "POSTGRES_PASSWORD": "x",
                    "CREATE_TABLE": "no",
                    "IS_SNAPSHOTTING_ENABLED": "yes",
                },
            )
        )
        self.datastore = database
        self._on_commit = on_commit
        self._record_position = record_position

    def aggregate_recorder(self, purpose: str = "events") -> SnapshotRecorder:
        """Return the recorder of snapshots, the only aggregate recorder that the library requests."""
        return SnapshotRecorder(self.datastore, events_table_name=f"stored_{purpose}")

    def application_recorder(self) -> Recorder:
        """Return the recorder of the event store."""
        return Recorder(self.datastore, self._on_commit, self._record_position)
