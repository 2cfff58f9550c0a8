"""Counters of login attempts, shared by all processes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from adapters.postgres.prepared_statements import execute_transaction
from adapters.postgres.sql_files import statements
from application.ports.throttle import Admission, Reservation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from eventsourcing.postgres import PostgresDatastore
    from psycopg.pq.abc import PGresult

    from application.ports.throttle import AttemptKeys, ThrottleKey

SQL = statements("adapters.postgres.tables", "throttle")

RESERVATION_LIFETIME = timedelta(seconds=30)
"""Longer than any attempt takes. The reservations of a process that died expire after this time."""


class PostgresThrottle:
    """Throttle on the table `throttle`. Transactional writes reset counters when new credentials are issued."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def reserve(self, keys: AttemptKeys, now: datetime) -> Admission:
        """Decide on an attempt, and count it as in flight if it is admitted."""
        reservation = Reservation(str(uuid4()), keys)
        parameters = {**_parameters(reservation, now), "expires_at": now + RESERVATION_LIFETIME}
        result = self._execute(("create", "lock", "reserve"), parameters)
        wait, wait_without_exemption, is_locked, is_queued = (result.get_value(0, column) or b"" for column in range(4))
        return Admission(
            reservation=reservation,
            seconds_to_wait=float(wait),
            seconds_to_wait_without_exemption=float(wait_without_exemption),
            is_locked=is_locked == b"t",
            is_queued=is_queued == b"t",
        )

    def fail(self, reservation: Reservation, now: datetime, tally: ThrottleKey | None = None) -> int:
        """Count a failure, and return the number of failures in a row, under `tally` or else on the person."""
        parameters = _parameters(reservation, now, tally)
        result = self._execute(("create", "lock", "fail"), parameters)
        key = tally.key if tally is not None else reservation.keys.identity
        failures = {result.get_value(row, 0): int(result.get_value(row, 1) or 0) for row in range(result.ntuples)}
        return failures.get(rb"\x" + key.hex().encode(), 0)

    def succeed(self, reservation: Reservation, now: datetime) -> None:
        """Reset the failures in a row of the person and their network."""
        self._execute(("lock", "succeed"), _parameters(reservation, now))

    def cancel(self, reservation: Reservation) -> None:
        """Cancel the reservation of an attempt that was not verified."""
        keys = [counter.key for counter in reservation.keys.counters]
        parameters = {"keys": keys, "attempt_id": reservation.attempt_id, "identity": reservation.keys.identity}
        self._execute(("lock", "cancel"), parameters)

    def _execute(self, names: tuple[str, ...], parameters: Mapping[str, Any]) -> PGresult:
        transaction = [(SQL[name], parameters) for name in ("commit_asynchronously", "serialize", *names)]
        with self._database.get_connection() as connection:
            return execute_transaction(connection, transaction)[-1]


def _parameters(reservation: Reservation, now: datetime, tally: ThrottleKey | None = None) -> dict[str, Any]:
    counters = [*reservation.keys.counters, *([tally] if tally is not None else [])]
    return {
        "attempt_id": reservation.attempt_id,
        "identity": reservation.keys.identity,
        "keys": [counter.key for counter in counters],
        "scopes": [str(counter.scope) for counter in counters],
        "limits": [counter.limit for counter in counters],
        "now": now,
    }
