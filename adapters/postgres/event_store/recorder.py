"""Recorder of the event store: appends events and transactional writes in one transaction."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from eventsourcing.postgres import PostgresApplicationRecorder

from adapters.postgres.event_store.group_commit import GroupCommit
from adapters.postgres.event_store.settled_reads import settled_position
from adapters.postgres.prepared_statements import execute_transaction
from adapters.postgres.sql_files import statements
from application.errors import IdempotentResponseExists, VersionConflict
from application.transactional_writes import OpenSession, StoreIdempotentResponse
from domain.refusals import AccountEmailTaken, AccountExternalIdTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventsourcing.persistence import Notification, StoredEvent
    from eventsourcing.postgres import PostgresDatastore
    from psycopg.pq.abc import PGresult

    from adapters.postgres.event_store.group_commit import StreamVersion
    from adapters.postgres.prepared_statements import Statement
    from application.transactional_writes import TransactionalWrite

WRITES = statements("adapters.postgres.event_store", "transactional_writes")
APPENDING = statements("adapters.postgres.event_store", "appending")
APPEND_WITH_SESSION = APPENDING["append_with_session"].replace("{opened}", WRITES["OpenSession"])

CONFLICTS: dict[str, type[Exception]] = {
    "stored_events_pkey": VersionConflict,
    "account_directory_email_key": AccountEmailTaken,
    "account_directory_external_id_key": AccountExternalIdTaken,
    "kept_answers_key": IdempotentResponseExists,
    "webhooks_slot_key": VersionConflict,
    "open_account": VersionConflict,
    "good_api_key": VersionConflict,
    "no_active_webhook": VersionConflict,
    "catalogue_revision": VersionConflict,
    "unused_permissions": VersionConflict,
    "second_factors_credential_key": VersionConflict,
    "mailed_links_event_idx": VersionConflict,
    "legal_holds_pkey": VersionConflict,
}
"""Exception for each constraint that concurrent commands can violate."""

GAP = "SUGAP"
"""SQLSTATE that `refuse_gap()` raises: the stream lacks the event's previous version (`sql/appending.sql`)."""


class Recorder(PostgresApplicationRecorder):
    """The eventsourcing library's recorder, with transactional writes and concurrent appends.

    `sql/appending.sql` describes how readers see every event although transactions overlap. A transaction goes to the
    server in one round trip. It appends its events after its other writes that can wait for row locks, so that it takes
    the lock that holds back readers only after those waits.
    """

    def __init__(
        self,
        datastore: PostgresDatastore,
        on_commit: Callable[[], None],
        record_position: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`on_commit` is called after each commit, and `record_position` with the highest appended position."""
        super().__init__(datastore)
        self._on_commit = on_commit
        self._record_position = record_position
        self._group_commit = GroupCommit(self._append_each)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append the events and execute the keyword argument `writes` in one transaction, and return the positions.

        Does not retry: on a conflict the caller has to decide again. Raises `VersionConflict`,
        `AccountEmailTaken`, `IdempotentResponseExists` or `StoreUnavailable`.
        """
        writes: Sequence[TransactionalWrite] = kwargs.get("writes", ())
        if not writes:
            if not stored_events:
                return []
            if len(stored_events) == 1:
                return [self._group_commit.append(stored_events[0])]
        transaction = _transaction_statements(stored_events, writes)
        with self.datastore.get_connection() as connection:
            try:
                results = execute_transaction(connection, transaction)
            except psycopg.IntegrityError as violation:
                conflict = CONFLICTS.get(violation.diag.constraint_name or "")
                if conflict is None:
                    raise
                raise conflict from violation
            except psycopg.Error as error:
                if error.sqlstate == GAP:
                    raise VersionConflict from error
                raise
        self._on_commit()
        positions = _positions(next(result for result in results if result.ntuples)) if stored_events else []
        if positions:
            self._record_position(positions[-1])
        return positions

    def _append_each(self, stored_events: Sequence[StoredEvent]) -> dict[StreamVersion, int]:
        """Append events of unrelated commands, and return the positions of the appended ones.

        An event whose version exists, or whose previous version is missing, is skipped.
        """
        statement, names = _append_each_statement(len(stored_events))
        values = [
            value
            for event in stored_events
            for value in (event.originator_id, event.originator_version, event.topic, event.state)
        ]
        parameters = dict(zip(names, values, strict=True))
        with self.datastore.get_connection() as connection:
            (result,) = execute_transaction(connection, [(statement, parameters)])
        if result.ntuples:
            self._on_commit()
        positions = dict(_version_and_position(result, row) for row in range(result.ntuples))
        if positions:
            self._record_position(max(positions.values()))
        return positions

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return events from the position `start` on, up to the settled position."""
        with self.datastore.get_connection() as connection:
            settled = settled_position(connection)
        last_position = settled if stop is None else min(stop, settled)
        notifications: Sequence[Notification] = super().select_notifications(
            start, limit, last_position, topics, inclusive_of_start=inclusive_of_start
        )
        return notifications

    def max_notification_id(self) -> int | None:
        """Return the settled position; None if there is no settled event."""
        with self.datastore.get_connection() as connection:
            return settled_position(connection) or None


def _transaction_statements(
    stored_events: Sequence[StoredEvent], writes: Sequence[TransactionalWrite]
) -> list[Statement]:
    """Return the statements of a transaction. Only the one that appends the events returns rows."""
    if len(stored_events) == len(writes) == 1 and isinstance(writes[0], OpenSession):
        return [(APPEND_WITH_SESSION, vars(stored_events[0]) | vars(writes[0]))]
    write_statements: list[Statement] = [(WRITES[type(write).__name__], vars(write)) for write in writes]
    if not stored_events:
        return write_statements
    return [
        *write_statements,
        _append_statement(stored_events),
        *(
            (WRITES["set_response_position"], vars(write))
            for write in writes
            if isinstance(write, StoreIdempotentResponse)
        ),
    ]


def _append_statement(stored_events: Sequence[StoredEvent]) -> Statement:
    if len(stored_events) == 1:
        return APPENDING["append_one"], vars(stored_events[0])
    columns: dict[str, list[Any]] = {
        "originator_ids": [event.originator_id for event in stored_events],
        "originator_versions": [event.originator_version for event in stored_events],
        "topics": [event.topic for event in stored_events],
        "states": [event.state for event in stored_events],
    }
    return APPENDING["append_many"], columns


@cache
def _append_each_statement(event_count: int) -> tuple[str, tuple[str, ...]]:
    """Return the statement that appends `event_count` unrelated events, and its parameter names, event by event."""
    columns = (("originator_id", "uuid"), ("originator_version", "bigint"), ("topic", "text"), ("state", "bytea"))
    rows = [
        ", ".join(f"%({name}_{number})s::{sql_type}" for name, sql_type in columns) for number in range(event_count)
    ]
    names = tuple(f"{name}_{number}" for number in range(event_count) for name, _ in columns)
    return APPENDING["append_each"].replace("{rows}", ", ".join(f"({row})" for row in rows)), names


def _version_and_position(result: PGresult, row: int) -> tuple[StreamVersion, int]:
    stream_id, version, position = (result.get_value(row, column) or b"" for column in range(3))
    return (UUID(stream_id.decode()), int(version)), int(position)


def _positions(result: PGresult) -> list[int]:
    """Return the positions that an append statement returned, sorted: events get ascending positions in their order."""
    return sorted(int(result.get_value(row, 0) or 0) for row in range(result.ntuples))
