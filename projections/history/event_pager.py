"""Reader of recorded events in the order of positions, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.postgres.event_store.settled_reads import SQL as STORE_SQL
from adapters.postgres.event_store.settled_reads import recorded_event
from adapters.postgres.prepared_statements import named_row
from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from adapters.postgres.event_store.settled_reads import RecordedEvent
    from projections.runtime.freshness import Database

HISTORY_SQL = statements("projections.history", "queries")

PAGE_SIZE = 500


class EventPager:
    """Reads the events of one account, or of the whole store if `account_id` is None.

    Before reading an account, wait until the audit-log view has reached `max_position`: that view lists the account's
    events in other streams.
    """

    def __init__(self, database: Database, account_id: UUID | None) -> None:
        self._database = database
        self._account_id = account_id

    def pages(self, after_position: int, max_position: int) -> Iterator[Sequence[RecordedEvent]]:
        """Yield pages of the events after `after_position`, up to and including `max_position`."""
        statement = STORE_SQL["events_between"] if self._account_id is None else HISTORY_SQL["entries"]
        parameters = {
            "account_id": self._account_id,
            "after_position": after_position,
            "after_version": self._own_stream_version_at(after_position),
            "max_position": max_position,
            "max_version": self._own_stream_version_at(max_position),
            "limit": PAGE_SIZE,
        }
        while page := [recorded_event(row) for row in self._fetch(statement, parameters)]:
            yield page
            parameters["after_position"] = page[-1].position
            own_events = [event.stored for event in page if event.stored.originator_id == self._account_id]
            if own_events:
                parameters["after_version"] = own_events[-1].originator_version

    def _own_stream_version_at(self, position: int) -> int:
        """Return the version of the account's own stream at a position; 0 without an account."""
        if self._account_id is None or position == 0:
            return 0
        rows = self._fetch(HISTORY_SQL["version_at_position"], {"account_id": self._account_id, "position": position})
        return int(rows[0].version) if rows else 0

    def _fetch(self, statement: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        with self._database.get_connection() as connection:
            cursor = connection.cursor(row_factory=named_row, binary=True)
            return cursor.execute(statement, parameters, prepare=True).fetchall()
