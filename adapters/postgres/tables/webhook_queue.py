"""Queue of webhooks with pending events. Each webhook is claimed by one worker at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from adapters.postgres.sql_files import statements
from application.workers.webhook_deliveries import Claim

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore
    from psycopg import Connection
    from psycopg.rows import DictRow

    from adapters.postgres.tables.webhooks import WebhookCipher
    from application.commands.webhooks import Delivery

SQL = statements("adapters.postgres.tables", "webhook_queue")

CONCURRENT_PER_ACCOUNT = 4
SLOW_CONCURRENT_PER_ACCOUNT = 2
"""Limits of concurrent deliveries to the webhooks of one account: in total, and to slow receivers."""

log = structlog.get_logger(__name__)


class PostgresWebhookQueue:
    """Claims webhooks of the table `webhooks`, and records deliveries."""

    def __init__(self, database: PostgresDatastore, cipher: WebhookCipher) -> None:
        self._database = database
        self._cipher = cipher

    def claim(self, now: datetime, until: datetime, *, include_slow: bool = True) -> Claim | None:
        """Claim a webhook that may have pending events, until a time. Raises `MasterKeyMissing`.

        `include_slow` includes webhooks whose last delivery was slow.
        """
        claim_id = uuid4()
        parameters = {
            "claim_id": claim_id,
            "now": now,
            "until": until,
            "include_slow": include_slow,
            "per_account": CONCURRENT_PER_ACCOUNT,
            "slow_per_account": SLOW_CONCURRENT_PER_ACCOUNT,
        }
        with self._database.get_connection() as connection:
            row = connection.execute(SQL["claim_webhook"], parameters, prepare=True).fetchone()
            if row is None:
                return None
            secrets = self._find_secrets(connection, row["webhook_id"], now)
        return Claim(claim_id, self._cipher.webhook(row), secrets)

    def secrets(self, webhook_id: UUID, now: datetime) -> Sequence[bytes]:
        """Return the valid signing secrets of a webhook, newest first. Raises `MasterKeyMissing`."""
        with self._database.get_connection() as connection:
            return self._find_secrets(connection, webhook_id, now)

    def may_send(self, claim: Claim, now: datetime) -> bool:
        """Return whether the claim is still valid, and the webhook's API key still active."""
        with self._database.get_connection() as connection:
            return connection.execute(SQL["may_send"], {**_key(claim), "now": now}, prepare=True).rowcount == 1

    def record_delivered(self, claim: Claim, delivery: Delivery, until: datetime) -> bool:
        """Record a successful delivery, and extend the claim. Return False if the claim was lost."""
        return self._record("record_delivered", claim, delivery, until=until)

    def record_failed(self, claim: Claim, delivery: Delivery, due_at: datetime) -> bool:
        """Record a failed delivery, and release the claim until the next attempt. Return False if it was lost."""
        log.warning(
            "webhook.failed",
            webhook_id=str(claim.webhook.webhook_id),
            event_id=delivery.event_id,
            attempt=delivery.attempt,
            status=delivery.status,
            error=delivery.error,
        )
        return self._record("record_failed", claim, delivery, due_at=due_at)

    def release(self, claim: Claim, due_at: datetime, position: int | None = None) -> None:
        """Release the claim. `position` is the position up to which the webhook has no pending events."""
        parameters = {**_key(claim), "due_at": due_at, "position": position}
        with self._database.get_connection() as connection:
            connection.execute(SQL["release"], parameters, prepare=True)

    def _record(self, statement: str, claim: Claim, delivery: Delivery, **times: datetime) -> bool:
        with self._database.get_connection() as connection:
            parameters = {**_key(claim), **vars(delivery), "slow": delivery.is_slow, **times}
            cursor = connection.execute(SQL[statement], parameters, prepare=True)
        return cursor.rowcount == 1

    def _find_secrets(self, connection: Connection[DictRow], webhook_id: UUID, now: datetime) -> Sequence[bytes]:
        key = {"webhook_id": webhook_id, "now": now}
        rows = connection.execute(SQL["find_secrets"], key, prepare=True).fetchall()
        return [
            self._cipher.decrypt(webhook_id, "secret", row["master_key_id"], row["encrypted_secret"]) for row in rows
        ]


def _key(claim: Claim) -> dict[str, object]:
    return {"webhook_id": claim.webhook.webhook_id, "claim_id": claim.claim_id}
