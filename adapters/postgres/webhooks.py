"""Reads webhooks, and what became of what was sent to them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.encryption import UnknownMasterKey
from application.errors import MasterKeyMissing
from application.webhooks import Delivery, Signature, Webhook, Why
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.postgres import PostgresDatastore
    from psycopg.rows import DictRow

    from adapters.encryption import MasterKeys
    from projections.cursors import Cursors

SQL = statements("adapters.postgres", "webhooks")
DETAILS = "details"


class WebhookSeals:
    """Encrypts what is kept of webhooks: bound to the webhook and to what it is, it cannot be moved to another."""

    def __init__(self, master_keys: MasterKeys) -> None:
        self._master_keys = master_keys

    def seal(self, webhook_id: UUID, what: str, data: bytes) -> tuple[str, bytes]:
        """Return data encrypted, behind the id of the master key."""
        return self._master_keys.current_id, self._master_keys.wrap(_owner(webhook_id, what), data)

    def open(self, webhook_id: UUID, what: str, master_key_id: str, sealed: bytes) -> bytes:
        """Return data decrypted. Raises `MasterKeyMissing`."""
        try:
            return self._master_keys.unwrap(_owner(webhook_id, what), master_key_id, sealed)
        except UnknownMasterKey as error:
            raise MasterKeyMissing from error

    def webhook(self, row: DictRow) -> Webhook:
        """Return the webhook that a row holds. Raises `MasterKeyMissing`."""
        values: dict[str, Any] = dict(row)
        opened = self.open(row["webhook_id"], DETAILS, values.pop("master_key_id"), values.pop("sealed_details"))
        values |= json.loads(opened)
        values["signature"] = Signature(values["signature"])
        values["disabled_why"] = Why(values["disabled_why"]) if values["disabled_why"] is not None else None
        return Webhook(**values)


class PostgresWebhooks:
    """The webhooks, in the tables of that name; they are changed by records."""

    def __init__(self, database: PostgresDatastore, seals: WebhookSeals, cursors: Cursors) -> None:
        self._database = database
        self._seals = seals
        self._cursors = cursors

    def find(self, webhook_id: UUID) -> Webhook | None:
        """Return a webhook. Raises `MasterKeyMissing`."""
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["find_webhook"], {"webhook_id": webhook_id}, prepare=True).fetchone()
        return self._seals.webhook(row) if row is not None else None

    def page(
        self, *, of_all: bool, account_id: UUID | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Webhook], str | None]:
        """Return a page, oldest first, and the cursor of the next. Raises `InvalidValue`, `MasterKeyMissing`."""
        scope = ["webhooks", str(of_all), str(account_id)]
        last = self._cursors.read(scope, cursor) if cursor else None
        wanted = {
            "of_all": of_all,
            "account_id": account_id,
            "created_at": datetime.fromisoformat(last[0]) if last else None,
            "webhook_id": UUID(last[1]) if last else None,
            "limit": limit + 1,
        }
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["list_webhooks"], wanted).fetchall()
        shown = rows[:limit]
        if len(rows) == len(shown):
            return [self._seals.webhook(row) for row in shown], None
        values = [shown[-1]["created_at"].isoformat(), str(shown[-1]["webhook_id"])]
        return [self._seals.webhook(row) for row in shown], self._cursors.write(scope, values)

    def deliveries(self, webhook_id: UUID, limit: int, cursor: str | None) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of a webhook's log, newest first, and the cursor of the next. Raises `InvalidValue`."""
        scope = ["webhook deliveries", str(webhook_id)]
        before = self._cursors.read(scope, cursor)[0] if cursor else None
        wanted = {"webhook_id": webhook_id, "before": before, "limit": limit + 1}
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["list_deliveries"], wanted).fetchall()
        ids = [row.pop("delivery_id") for row in rows]
        more = len(rows) > limit
        deliveries = [Delivery(**row) for row in rows[:limit]]
        return deliveries, self._cursors.write(scope, [ids[limit - 1]]) if more else None

    def slots(self, account_id: UUID | None) -> Sequence[int]:
        """Return the places that are taken by an account's webhooks, or by those of all accounts."""
        with self._database.get_connection() as connection:
            rows = connection.execute(SQL["taken_slots"], {"account_id": account_id}).fetchall()
        return [row["slot"] for row in rows]

    def seal(self, webhook_id: UUID, what: str, data: bytes) -> tuple[str, bytes]:
        """Return data encrypted for a webhook, behind the id of the master key."""
        return self._seals.seal(webhook_id, what, data)

    def seal_details(self, webhook_id: UUID, url: str, description: str | None) -> tuple[str, bytes]:
        """Return a URL and a description encrypted for a webhook, behind the id of the master key."""
        text = json.dumps({"url": url, "description": description})
        return self._seals.seal(webhook_id, DETAILS, text.encode())


def _owner(webhook_id: UUID, what: str) -> str:
    return f"webhook {webhook_id} {what}"
