"""Table of API keys, and the generation of their secrets."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from adapters.postgres.prepared_statements import fetch_all, named_row
from adapters.postgres.sql_files import statements
from application.commands.api_keys import NO_LIMITS, ApiKey, Limits, NewSecret, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

SQL = statements("adapters.postgres.tables", "api_keys")
KEY_BYTES = 32


class PostgresApiKeys:
    """Reads the table `api_keys`, which stores SHA-256 hashes. Commands change it through transactional writes."""

    def __init__(self, database: PostgresDatastore) -> None:
        self._database = database

    def find(self, secret: str) -> ApiKey | None:
        """Return the key with a secret, unless it has been revoked."""
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["find_api_key"], {"key_hash": hash_secret(secret)})
        return next(map(_key, rows), None)

    def get(self, api_key_id: UUID) -> ApiKey | None:
        """Return a key, revoked or not."""
        with self._database.get_connection() as connection:
            rows = fetch_all(connection, SQL["get_api_key"], {"api_key_id": api_key_id})
        return next(map(_key, rows), None)

    def is_active(self, api_key_id: UUID, now: datetime) -> bool:
        """Return whether a key has neither been revoked nor expired."""
        parameters = {"api_key_id": api_key_id, "now": now}
        with self._database.get_connection() as connection:
            return connection.execute(SQL["find_active_key"], parameters, prepare=True).rowcount == 1

    def list(self) -> Sequence[ApiKey]:
        """Return all keys, revoked ones included, oldest first."""
        with self._database.get_connection() as connection:
            rows = connection.cursor(row_factory=named_row).execute(SQL["list_api_keys"]).fetchall()
        return [_key(row) for row in rows]

    def record_use(self, api_key_id: UUID, now: datetime) -> None:
        """Record when a key was last used, at most once a minute."""
        with self._database.get_connection() as connection:
            connection.execute(SQL["record_use_of_key"], {"api_key_id": api_key_id, "now": now})


def new_secret(scope: Scope) -> NewSecret:
    """Return a random secret for a new key, with its hash."""
    secret = f"subusers_{scope}_{secrets.token_urlsafe(KEY_BYTES)}"
    return NewSecret(secret, hash_secret(secret))


def hash_secret(secret: str) -> bytes:
    """Return the hash under which a key is stored. A secret of 256 random bits needs no salt."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _key(row: Any) -> ApiKey:
    return ApiKey(
        api_key_id=row.api_key_id,
        name=row.name,
        scope=Scope(row.scope),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        limits=_limits(row),
        last_used_at=row.last_used_at,
        version=row.version,
    )


def _limits(row: Any) -> Limits:
    if row.expires_at is None and row.allowed_addresses is None and row.accounts is None:
        return NO_LIMITS
    return Limits(
        expires_at=row.expires_at,
        allowed_addresses=tuple(row.allowed_addresses) if row.allowed_addresses is not None else None,
        accounts=frozenset(row.accounts) if row.accounts is not None else None,
    )
