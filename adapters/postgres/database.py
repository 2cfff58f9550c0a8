"""The way to Postgres: one pool of connections, and driver errors turned into the project's own at this one edge."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

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
from eventsourcing.postgres import PostgresDatastore, PostgresFactory
from eventsourcing.utils import Environment
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.at_hand import ConnectionsAtHand
from adapters.postgres.recorder import Recorder
from adapters.postgres.snapshot_recorder import SnapshotRecorder
from application.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection
    from psycopg.rows import DictRow

SECONDS_TO_CONNECT = 5
SECONDS_TO_RECONNECT = 2
"""The pool's pauses between attempts to connect double until it begins anew: in five minutes they would grow to four,
and it would take as long again after an outage to find the server back."""

SECONDS_TO_LOCK = 5
SECONDS_A_STATEMENT = 15
"""Longer than anything that a request does; a lost lock or plan ends here, as a 503."""

PATIENCE = f"-c lock_timeout={SECONDS_TO_LOCK}s -c statement_timeout={SECONDS_A_STATEMENT}s"


NOTICING_A_LOST_PEER = {
    "connect_timeout": SECONDS_TO_CONNECT,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""So that a thread does not wait for hours on a server, or a network, that is gone without a word (libpq's names)."""

OPTIONS = (
    "-c timezone=UTC -c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 "
    r"-c tcp_user_timeout=30000 -c default_transaction_isolation=read\ committed"
)
"""The same the other way round: what a lost client held, leadership of a follower above all, is soon free again.

And the isolation on which reading by position relies, whatever a server has for a default (sql/appending.sql)."""


ERRORS: dict[type[psycopg.Error], type[PersistenceError]] = {
    psycopg.DataError: DataError,
    psycopg.IntegrityError: IntegrityError,
    psycopg.InternalError: InternalError,
    psycopg.ProgrammingError: ProgrammingError,
    psycopg.NotSupportedError: NotSupportedError,
    psycopg.DatabaseError: DatabaseError,
}
"""What the library calls the driver's errors."""


class Database(PostgresDatastore):
    """The library's datastore on any connection string, raising `StoreUnavailable` where Postgres cannot be had."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        super().__init__(
            dbname="",
            host="",
            port="",
            user="",
            password="",
            connect_timeout=SECONDS_TO_CONNECT,
            pool_size=1,
            max_overflow=pool_size - 1,
            idle_in_transaction_session_timeout=SECONDS_TO_LOCK,  # nobody holds up the others for longer
        )
        self.pool.reconnect_timeout = SECONDS_TO_RECONNECT
        kwargs = self.pool.kwargs
        if not isinstance(kwargs, dict):
            raise TypeError(kwargs)
        for name in ("dbname", "host", "port", "user", "password"):
            del kwargs[name]
        kwargs.update(conninfo_to_dict(url))
        kwargs.setdefault("application_name", "subusers")
        for name, value in NOTICING_A_LOST_PEER.items():
            kwargs.setdefault(name, value)
        kwargs["options"] = f"{kwargs.get('options', '')} {OPTIONS} {PATIENCE}"
        self._at_hand = ConnectionsAtHand(self.pool)

    def close(self) -> None:
        """Close every connection."""
        self._at_hand.close()

    @contextmanager
    def get_connection(self) -> Iterator[Connection[DictRow]]:
        """Lend a connection in autocommit mode. Raises `StoreUnavailable`, or what the library makes of an error."""
        try:
            lent = self._at_hand.take()
            try:
                yield lent[0]
            finally:
                self._at_hand.give_back(lent)
        except (psycopg.InterfaceError, psycopg.OperationalError) as error:
            raise StoreUnavailable from error
        except psycopg.Error as error:
            as_library = next((ours for theirs, ours in ERRORS.items() if isinstance(error, theirs)), PersistenceError)
            raise as_library(str(error)) from error


class Factory(PostgresFactory):
    """Hands the library the project's datastore and recorder; the tables are the migrations' business."""

    def __init__(self, database: Database, on_commit: Callable[[], None]) -> None:
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

    def aggregate_recorder(self, purpose: str = "events") -> SnapshotRecorder:
        """Return the recorder of the snapshots: there is nothing else that the library asks one for."""
        return SnapshotRecorder(self.datastore, events_table_name=f"stored_{purpose}")

    def application_recorder(self) -> Recorder:
        """Return the recorder of the event store."""
        return Recorder(self.datastore, self._on_commit)
