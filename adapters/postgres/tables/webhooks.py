"""Tables of webhooks and their deliveries, and the encryption of webhook data."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.encryption import UnknownMasterKey
from adapters.postgres.sql_files import statements
from application.commands.webhooks import Delivery, DisableReason, SignatureAlgorithm, Webhook, WebhookWithEndedKey
from application.errors import MasterKeyMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.postgres import PostgresDatastore
    from psycopg.rows import DictRow

    from adapters.encryption import MasterKeys
    from application.pagination_cursors import Cursors

SQL = statements("adapters.postgres.tables", "webhooks")
DETAILS = "details"


class WebhookCipher:
    """Encrypts webhook data with the master key. Ciphertext is bound to its webhook and its field."""

    def __init__(self, master_keys: MasterKeys) -> None:
        self._master_keys = master_keys

    def encrypt(self, webhook_id: UUID, field: str, data: bytes) -> tuple[str, bytes]:
        """Encrypt data, and return the id of the master key and the ciphertext."""
        return self._master_keys.current_id, self._master_keys.wrap(_associated_data(webhook_id, field), data)

    def decrypt(self, webhook_id: UUID, field: str, master_key_id: str, ciphertext: bytes) -> bytes:
        """Decrypt data. Raises `MasterKeyMissing`."""
        try:
            return self._master_keys.unwrap(_associated_data(webhook_id, field), master_key_id, ciphertext)
        except UnknownMasterKey as error:
            raise MasterKeyMissing from error

    def webhook(self, row: DictRow) -> Webhook:
        """Return the webhook of a row, with its details decrypted. Raises `MasterKeyMissing`."""
        values: dict[str, Any] = dict(row)
        details = self.decrypt(row["webhook_id"], DETAILS, values.pop("master_key_id"), values.pop("encrypted_details"))
        values |= json.loads(details)
        values["signature_algorithm"] = SignatureAlgorithm(values["signature_algorithm"])
        reason = values["disabled_reason"]
        values["disabled_reason"] = DisableReason(reason) if reason is not None else None
        return Webhook(**values)


class PostgresWebhooks:
    """Reads the tables `webhooks` and `webhook_deliveries`.

    Commands change webhooks through transactional writes (`application.transactional_writes`), and deliveries change
    them through `PostgresWebhookQueue`.
    """

    def __init__(self, database: PostgresDatastore, cipher: WebhookCipher, cursors: Cursors) -> None:
        self._database = database
        self._cipher = cipher
        self._cursors = cursors

    def find(self, webhook_id: UUID) -> Webhook | None:
        """Return a webhook by id. Raises `MasterKeyMissing`."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["find_webhook"], {"webhook_id": webhook_id}, prepare=True).fetchone()
        return self._cipher.webhook(row) if row is not None else None

    def page(
        self, *, all_accounts: bool, account_id: UUID | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Webhook], str | None]:
        """Return a page of webhooks, oldest first, and the next page's cursor, if any.

        `all_accounts` selects the webhooks that receive the events of all accounts. Otherwise, `account_id` selects
        those of one account; None selects all webhooks that are limited to one account. Raises `InvalidValue` for a bad
        cursor, and `MasterKeyMissing`.
        """
        scope = ["webhooks", str(all_accounts), str(account_id)]
        last = self._cursors.read(scope, cursor) if cursor else None
        parameters = {
            "all_accounts": all_accounts,
            "account_id": account_id,
            "created_at": datetime.fromisoformat(last[0]) if last else None,
            "webhook_id": UUID(last[1]) if last else None,
            "limit": limit + 1,
        }
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["list_webhooks"], parameters).fetchall()
        page_rows = rows[:limit]
        if len(rows) == len(page_rows):
            return [self._cipher.webhook(row) for row in page_rows], None
        values = [page_rows[-1]["created_at"].isoformat(), str(page_rows[-1]["webhook_id"])]
        return [self._cipher.webhook(row) for row in page_rows], self._cursors.write(scope, values)

    def deliveries(self, webhook_id: UUID, limit: int, cursor: str | None) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of a webhook's deliveries, newest first, and the next page's cursor, if any.

        Raises `InvalidValue` for a bad cursor.
        """
        scope = ["webhook deliveries", str(webhook_id)]
        before = self._cursors.read(scope, cursor)[0] if cursor else None
        parameters = {"webhook_id": webhook_id, "before": before, "limit": limit + 1}
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["list_deliveries"], parameters).fetchall()
        ids = [row.pop("delivery_id") for row in rows]
        has_more = len(rows) > limit
        deliveries = [Delivery(**row) for row in rows[:limit]]
        return deliveries, self._cursors.write(scope, [ids[limit - 1]]) if has_more else None

    def list_active_by_key(self, api_key_id: UUID) -> Sequence[Webhook]:
        """Return the active webhooks of the API key with this id, ordered by webhook id. Raises `MasterKeyMissing`."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["list_active_by_key"], {"api_key_id": api_key_id}).fetchall()
        return [self._cipher.webhook(row) for row in rows]

    def list_active_with_ended_key(self, now: datetime) -> Sequence[WebhookWithEndedKey]:
        """Return a batch of active webhooks whose API key was revoked or has expired."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["list_active_with_ended_key"], {"now": now}).fetchall()
        return [WebhookWithEndedKey(**row) for row in rows]

    def count_active_without_key(self, *, all_accounts: bool) -> int:
        """Return the number of active webhooks without an API key: for all accounts, or limited to one account."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["count_active_without_key"], {"all_accounts": all_accounts}).fetchone()
        return int(row["webhooks"]) if row is not None else 0

    def occupied_slots(self, account_id: UUID | None) -> Sequence[int]:
        """Return the slots of an account's webhooks; for None, those of the webhooks for all accounts."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["occupied_slots"], {"account_id": account_id}).fetchall()
        return [row["slot"] for row in rows]

    def encrypt(self, webhook_id: UUID, field: str, data: bytes) -> tuple[str, bytes]:
        """Encrypt data of a webhook, and return the id of the master key and the ciphertext."""
        return self._cipher.encrypt(webhook_id, field, data)

    def encrypt_details(self, webhook_id: UUID, url: str, description: str | None) -> tuple[str, bytes]:
        """Encrypt a webhook's URL and description, and return the id of the master key and the ciphertext."""
        details = json.dumps({"url": url, "description": description})
        return self._cipher.encrypt(webhook_id, DETAILS, details.encode())


def _associated_data(webhook_id: UUID, field: str) -> str:
    return f"webhook {webhook_id} {field}"
