"""Event streams of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventsourcing.persistence import StoredEvent

from adapters.postgres.prepared_statements import fetch_all
from adapters.postgres.sql_files import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.event_store", "account_streams")


class PostgresAccountStreams:
    """Reads account streams from the tables `stored_snapshots` and `stored_events`."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def read(self, account_id: UUID) -> Sequence[StoredEvent]:
        """Return the account's latest snapshot, if any, and every later event, in one round trip."""
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["read_account_stream"], {"account_id": account_id})
        return [StoredEvent(account_id, row.originator_version, row.topic, row.state) for row in rows]

    def read_by_email(self, email_hash: str, now: datetime) -> Sequence[StoredEvent]:
        """Return the same for the account with an e-mail, in one round trip. Return nothing if there is no account."""
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["read_account_stream_by_email"], {"email_hash": email_hash, "now": now})
        return [StoredEvent(row.originator_id, row.originator_version, row.topic, row.state) for row in rows]

    def read_from_beginning(self, account_id: UUID) -> Sequence[StoredEvent]:
        """Return every event of the account, without snapshots."""
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["read_whole_account_stream"], {"account_id": account_id})
        return [StoredEvent(account_id, row.originator_version, row.topic, row.state) for row in rows]

    def read_event(self, account_id: UUID, version: int) -> StoredEvent:
        """Return the event with a version, which must exist."""
        parameters = {"account_id": account_id, "version": version}
        with self._database.get_connection() as connection:
            (row,) = fetch_all(connection, SQL["read_account_event"], parameters)
        return StoredEvent(account_id, row.originator_version, row.topic, row.state)

    def read_contacts(self, account_id: UUID, sub_user_id: UUID) -> Sequence[StoredEvent]:
        """Return the events that set a sub-user's e-mail and names, oldest first."""
        parameters = {"account_id": account_id, "sub_user_id": sub_user_id}
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["read_contacts"], parameters)
        return [StoredEvent(account_id, row.originator_version, row.topic, row.state) for row in rows]
