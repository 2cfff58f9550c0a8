"""The keys by which backends, support, auditors and analytics get in."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.api_keys import ApiKey, Scope
from projections.round_trips import rows_of
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres", "api_keys")
KEY_BYTES = 32


class PostgresApiKeys:
    """The keys, in the table of that name, as SHA-256."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def create(self, scope: Scope, name: str, now: datetime) -> str:
        """Return a new key: nobody can show it again."""
        secret = f"subusers_{scope}_{secrets.token_urlsafe(KEY_BYTES)}"
        row = {"api_key_id": uuid4(), "name": name, "scope": scope, "key_hash": hash_of(secret), "created_at": now}
        with self._database.get_connection() as connection:
            connection.execute(SQL["add_api_key"], row)
        return secret

    def find(self, secret: str) -> ApiKey | None:
        """Return the key that this secret is, unless it has been revoked."""
        with self._database.get_connection() as connection:
            rows = rows_of(connection, SQL["find_api_key"], {"key_hash": hash_of(secret)})
        return next((ApiKey(api_key_id, name, Scope(scope)) for api_key_id, name, scope in rows), None)

    def is_good(self, api_key_id: UUID) -> bool:
        """Say whether a key has not been revoked."""
        with self._database.get_connection() as connection:
            return connection.execute(SQL["find_good_key"], {"api_key_id": api_key_id}, prepare=True).rowcount == 1

    def list(self) -> Sequence[ApiKey]:
        """Return every key there ever was, oldest first."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["list_api_keys"]).fetchall()
        return [ApiKey(**{**row, "scope": Scope(row["scope"])}) for row in rows]

    def revoke(self, api_key_id: UUID, now: datetime) -> bool:
        """Have the key open nothing any more; return False if there was no such key left to revoke."""
        with self._database.get_connection() as connection:
            done = connection.execute(SQL["revoke_api_key"], {"api_key_id": api_key_id, "revoked_at": now})
        return done.rowcount == 1


def hash_of(secret: str) -> bytes:
    """Return what the store keeps of a key: 256 random bits need no salt."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
