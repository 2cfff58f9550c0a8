"""Writes events, and in the same transaction whatever must be true together with them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from eventsourcing.postgres import PostgresApplicationRecorder

from adapters.postgres.shared_appends import SharedAppends
from application.errors import AnswerAlreadyKept, VersionConflict
from application.records import AnswerKept, SessionOpened
from domain.refusals import AccountEmailTaken
from projections.event_log import settled_position
from projections.round_trips import in_one_transaction
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventsourcing.persistence import Notification, StoredEvent
    from eventsourcing.postgres import PostgresDatastore
    from psycopg.pq.abc import PGresult

    from adapters.postgres.shared_appends import Place
    from application.records import Record
    from projections.round_trips import Statement

RECORDS = statements("adapters.postgres", "records")
APPENDING = statements("adapters.postgres", "appending")
APPEND_WITH_SESSION = APPENDING["append_with_session"].replace("{opened}", RECORDS["SessionOpened"])

CONFLICTS: dict[str, type[Exception]] = {
    "stored_events_pkey": VersionConflict,
    "account_directory_email_key": AccountEmailTaken,
    "kept_answers_key": AnswerAlreadyKept,
    "webhooks_slot_key": VersionConflict,
}
"""What a violated constraint means."""


class Recorder(PostgresApplicationRecorder):
    """The library's recorder, with records beside the events, and with many transactions appending at once.

    How readers miss nothing all the same stands in `sql/appending.sql`. All of a transaction goes to the server in one
    round trip, the events last: nobody holds up readers while waiting for somebody else's records.
    """

    def __init__(self, datastore: PostgresDatastore, on_commit: Callable[[], None]) -> None:
        super().__init__(datastore)
        self._on_commit = on_commit
        self._shared = SharedAppends(self._append_each)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Write the events and `records` in one transaction, once: whether to try again is the caller's to know.

        Raises `VersionConflict`, `AccountEmailTaken`, `AnswerAlreadyKept` or `StoreUnavailable`.
        """
        records: Sequence[Record] = kwargs.get("records", ())
        if not records:
            if not stored_events:
                return []
            if len(stored_events) == 1:
                return [self._shared.append(stored_events[0])]
        asked = _statements(stored_events, records)
        with self.datastore.get_connection() as connection:
            try:
                results = in_one_transaction(connection, asked)
            except psycopg.errors.UniqueViolation as violation:
                conflict = CONFLICTS.get(violation.diag.constraint_name or "")
                if conflict is None:
                    raise
                raise conflict from violation
        self._on_commit()
        return _positions(next(result for result in results if result.ntuples)) if stored_events else []

    def _append_each(self, stored_events: Sequence[StoredEvent]) -> dict[Place, int]:
        """Append events of commands that have nothing to do with each other; return the positions of all that could."""
        statement, names = _for_each(len(stored_events))
        values = [
            value
            for one in stored_events
            for value in (one.originator_id, one.originator_version, one.topic, one.state)
        ]
        asked = statement, dict(zip(names, values, strict=True))
        with self.datastore.get_connection() as connection:
            (result,) = in_one_transaction(connection, [asked])
        if result.ntuples:
            self._on_commit()
        placed = (_appended_at(result, row) for row in range(result.ntuples))
        return dict(placed)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return events after a position, as far as they are settled."""
        with self.datastore.get_connection() as connection:
            settled = settled_position(connection)
        upto = settled if stop is None else min(stop, settled)
        found: Sequence[Notification] = super().select_notifications(
            start, limit, upto, topics, inclusive_of_start=inclusive_of_start
        )
        return found

    def max_notification_id(self) -> int | None:
        """Return the last position that is settled; None if there is none."""
        with self.datastore.get_connection() as connection:
            return settled_position(connection) or None


def _statements(stored_events: Sequence[StoredEvent], records: Sequence[Record]) -> list[Statement]:
    """Return what writes all of this. Of what that returns, only the positions of events have rows."""
    if len(stored_events) == len(records) == 1 and isinstance(records[0], SessionOpened):
        return [(APPEND_WITH_SESSION, vars(stored_events[0]) | vars(records[0]))]
    written = [_written(record) for record in records]
    if not stored_events:
        return written
    return [*written, _appended(stored_events), *(_placed(one) for one in records if isinstance(one, AnswerKept))]


def _written(record: Record) -> Statement:
    return RECORDS[type(record).__name__], vars(record)


def _placed(kept: AnswerKept) -> Statement:
    return RECORDS["place_answer"], vars(kept)


def _appended(stored_events: Sequence[StoredEvent]) -> Statement:
    if len(stored_events) == 1:
        return APPENDING["append_one"], vars(stored_events[0])
    return APPENDING["append_many"], _columns(stored_events)


@cache
def _for_each(events: int) -> tuple[str, tuple[str, ...]]:
    """Return the statement that appends so many events, and the names of its parameters, those of an event together."""
    columns = (("originator_id", "uuid"), ("originator_version", "bigint"), ("topic", "text"), ("state", "bytea"))
    rows = [", ".join(f"%({name}_{number})s::{kind}" for name, kind in columns) for number in range(events)]
    names = tuple(f"{name}_{number}" for number in range(events) for name, _ in columns)
    return APPENDING["append_each"].replace("{rows}", ", ".join(f"({row})" for row in rows)), names


def _columns(stored_events: Sequence[StoredEvent]) -> dict[str, list[Any]]:
    return {
        "originator_ids": [one.originator_id for one in stored_events],
        "originator_versions": [one.originator_version for one in stored_events],
        "topics": [one.topic for one in stored_events],
        "states": [one.state for one in stored_events],
    }


def _appended_at(result: PGresult, row: int) -> tuple[Place, int]:
    stream_id, version, position = (result.get_value(row, column) or b"" for column in range(3))
    return (UUID(stream_id.decode()), int(version)), int(position)


def _positions(result: PGresult) -> list[int]:
    """Return what a statement returned that appends: in the order of the events, which is that of their positions."""
    return sorted(int(result.get_value(row, 0) or 0) for row in range(result.ntuples))
