"""A few connections between two uses, the last one used first; the pool is asked where there is none."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from psycopg.pq import ConnStatus, TransactionStatus

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import DictRow
    from psycopg_pool import ConnectionPool

MOST = 8
"""So many are kept: those that the threads of one interpreter have in use at a time, mostly. More go back to the pool,
which closes what is idle."""

LONGEST = 60.0
"""Seconds after which one goes back to the pool all the same, which replaces what is old."""

Lent = tuple["Connection[DictRow]", float]
"""A connection, and since when the pool has lent it."""

OK, IDLE = ConnStatus.OK, TransactionStatus.IDLE


class ConnectionsAtHand:
    """Lends connections of a pool, without what the pool does each time: a fifth of what a short request takes.

    The servers of connections that were used last have most at hand, too.
    """

    def __init__(self, pool: ConnectionPool[Connection[DictRow]]) -> None:
        self._pool = pool
        self._idle: list[Lent] = []
        self._asking = 0
        self._closed = False
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give all back to the pool, and close it."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._closed = True
        for connection, _ in idle:
            self._pool.putconn(connection)
        self._pool.close()

    def take(self) -> Lent:
        """Lend a connection, to be given back. Raises `psycopg.Error`."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self._asking += 1
        try:
            self._pool.open()
            return self._pool.getconn(), time.monotonic()
        finally:
            with self._lock:
                self._asking -= 1

    def give_back(self, lent: Lent) -> None:
        """Have a connection back, in whatever state."""
        connection, since = lent
        pgconn = connection.pgconn
        if pgconn.status == OK and pgconn.transaction_status == IDLE and time.monotonic() - since < LONGEST:
            with self._lock:
                asked_for = self._closed or self._asking  # whoever asks the pool is to be given what comes back
                if not asked_for and len(self._idle) < MOST:
                    self._idle.append(lent)
                    return
        self._pool.putconn(connection)
