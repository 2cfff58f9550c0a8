"""Reads what a command on a sub-user begins with, and the API key that asks for it, in one round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventsourcing.persistence import StoredEvent

from adapters.postgres.api_keys import hash_of
from application.ahead import Ahead
from application.api_keys import ApiKey, Scope
from projections.round_trips import rows_of
from projections.statements import statements

if TYPE_CHECKING:
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

    from adapters.postgres.vault import PostgresVault

SQL = statements("adapters.postgres", "ahead")


class PostgresAhead:
    """Reads the tables `api_keys`, `vault` and `stored_events`."""

    def __init__(self, database: PostgresDatastore, vault: PostgresVault) -> None:
        self._database = database
        self._vault = vault

    def find(
        self, api_key: str, account_id: UUID, sub_user_id: UUID, version: int | None
    ) -> tuple[ApiKey | None, Ahead | None]:
        """Return the API key unless it has been revoked, and what is known of the account and the sub-user.

        Of the account's events those after `version`; without one, none.
        """
        asked = {
            "key_hash": hash_of(api_key),
            "account_id": account_id,
            "sub_user_id": sub_user_id,
            "version": version,
        }
        with self._database.get_connection() as connection:
            rows = rows_of(connection, SQL["find_ahead"], asked)
        if not rows:
            return None, None
        api_key_id, name, scope, versions, topics, states = rows[0][:6]
        entries = [self._vault.entry(*row[6:]) for row in rows if row[6] is not None]
        newer = [StoredEvent(account_id, *one) for one in zip(versions or (), topics or (), states or (), strict=True)]
        return ApiKey(api_key_id, name, Scope(scope)), Ahead({entry.person_id: entry for entry in entries}, newer)
