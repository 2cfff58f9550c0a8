"""Reads what a command begins with in one round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from adapters.postgres.api_keys import hash_of
from application.ahead import Ahead, AttemptAhead, Guess
from application.api_keys import ApiKey, Scope
from projections.round_trips import rows_of
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eventsourcing.postgres import PostgresDatastore

    from adapters.postgres.vault import PostgresVault
    from application.attempts import AttemptKeys

SQL = statements("adapters.postgres", "ahead")
NOBODY = Guess(UUID(int=0), UUID(int=0), 0)


class PostgresAhead:
    """Reads the tables `api_keys`, `vault`, `stored_events`, `throttle` and `account_directory`."""

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
        api_key_id, name, scope = rows[0][:3]
        return ApiKey(api_key_id, name, Scope(scope)), self._ahead(account_id, [row[3:] for row in rows])

    def of_attempt(
        self, account_email_hash: str, keys: AttemptKeys, now: datetime, guess: Guess | None, api_key: str = ""
    ) -> AttemptAhead:
        """Return what is known before a password is looked at, and the API key, if one is asked for and is good."""
        guessed = guess or NOBODY
        asked = {
            "key_hash": hash_of(api_key),
            "email_hash": account_email_hash,
            "delayed": keys.delayed,
            "counted": keys.counted,
            "per_minute": keys.per_minute or b"",
            "now": now,
            "guessed_account_id": guessed.account_id,
            "sub_user_id": guessed.sub_user_id,
            "version": guessed.version,
        }
        with self._database.get_connection() as connection:
            (row,) = rows_of(connection, SQL["find_attempt"], asked)
        api_key_id, name, scope, seconds, failed, account_id = row[:6]
        key = ApiKey(api_key_id, name, Scope(scope)) if api_key_id is not None else None
        return AttemptAhead(seconds, failed, account_id, self._ahead(guessed.account_id, [row[6:]]), key)

    def _ahead(self, account_id: UUID, rows: Sequence[Sequence[Any]]) -> Ahead:
        """Return what was read: columns of events, an array each, and then those of the vault."""
        versions, topics, states = rows[0][:3]
        entries = [self._vault.entry(*row[3:]) for row in rows if row[3] is not None]
        newer = [StoredEvent(account_id, *one) for one in zip(versions or (), topics or (), states or (), strict=True)]
        return Ahead({entry.person_id: entry for entry in entries}, newer)
