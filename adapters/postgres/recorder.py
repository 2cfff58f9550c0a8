"""Writes events, and in the same transaction whatever must be true together with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg.sql import SQL

from application.errors import AnswerAlreadyKept, VersionConflict
from application.records import AnswerKept
from domain.refusals import AccountEmailTaken
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventsourcing.persistence import StoredEvent
    from eventsourcing.postgres import PostgresDatastore
    from psycopg import Connection, Cursor
    from psycopg.rows import DictRow

    from application.records import Record

CONFLICTS: dict[str, type[Exception]] = {
    "stored_events_pkey": VersionConflict,
    "account_directory_email_key": AccountEmailTaken,
    "kept_answers_key": AnswerAlreadyKept,
    "webhooks_slot_key": VersionConflict,
}
"""What a violated constraint means."""


APPENDING = 723983
"""Key of the advisory lock under which events are appended, one transaction at a time."""


class Recorder(PostgresApplicationRecorder):
    """The library's recorder, with records beside the events.

    The events go last, under a lock of their own: positions become visible in their order, and nobody who waits for
    the lock holds one that its holder still needs. It is an advisory lock, not the library's lock on the table, which
    would have commands wait for every VACUUM and ANALYZE. Whoever replaces it replaces `lock_table_statements`.
    """

    def __init__(self, datastore: PostgresDatastore, on_commit: Callable[[], None]) -> None:
        super().__init__(datastore)
        self.lock_table_statements = [
            SQL("SET LOCAL lock_timeout = '{0}s'").format(datastore.lock_timeout),
            SQL("SELECT pg_advisory_xact_lock({0})").format(APPENDING),
        ]
        self._on_commit = on_commit
        self._record_statements = statements("adapters.postgres", "records")

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Write the events and `records` in one transaction, once: whether to try again is the caller's to know.

        Raises `VersionConflict`, `AccountEmailTaken`, `AnswerAlreadyKept` or `StoreUnavailable`.
        """
        records: Sequence[Record] = kwargs.get("records", ())
        if not stored_events and not records:
            return []
        with self.datastore.get_connection() as connection:
            try:
                positions = self._write(connection, stored_events, records)
            except psycopg.errors.UniqueViolation as violation:
                conflict = CONFLICTS.get(violation.diag.constraint_name or "")
                if conflict is None:
                    raise
                raise conflict from violation
        self._on_commit()
        return positions

    def _write(
        self, connection: Connection[DictRow], stored_events: Sequence[StoredEvent], records: Sequence[Record]
    ) -> list[int]:
        positions: list[int] = []
        failure: Exception | None = None
        with connection.pipeline() as pipeline, connection.transaction(), connection.cursor() as cursor:
            try:
                for record in records:
                    connection.execute(self._record_statements[type(record).__name__], vars(record))
                if stored_events:
                    self._insert_stored_events(cursor, stored_events)
                pipeline.sync()
                if stored_events:
                    positions = [row["notification_id"] for row in cursor.fetchall()]
                    self._place_answers(connection, records, positions[-1])
            except Exception as error:  # raised below, once the pipeline is closed and rolled back
                failure = error
                raise psycopg.Rollback from error
        if failure is not None:
            raise failure
        return positions

    def _place_answers(self, connection: Connection[DictRow], records: Sequence[Record], position: int) -> None:
        for record in records:
            if isinstance(record, AnswerKept):
                connection.execute(self._record_statements["place_answer"], {**vars(record), "position": position})

    def _notify_channel(self, curs: Cursor[DictRow]) -> None:
        """Do nothing: followers are signaled after the commit, never inside it."""
