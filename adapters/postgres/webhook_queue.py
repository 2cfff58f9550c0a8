"""Hands out webhooks to send to, each to one worker at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from application.webhook_deliveries import Claim
from projections.statements import statements

if TYPE_CHECKING:
    from datetime import datetime

    from eventsourcing.postgres import PostgresDatastore

    from adapters.postgres.webhooks import WebhookSeals
    from application.webhooks import Delivery

SQL = statements("adapters.postgres", "webhook_queue")

log = structlog.get_logger(__name__)


class PostgresWebhookQueue:
    """The claims, in the table `webhooks`."""

    def __init__(self, database: PostgresDatastore, seals: WebhookSeals) -> None:
        self._database = database
        self._seals = seals

    def claim(self, now: datetime, until: datetime) -> Claim | None:
        """Return a webhook that something may have to be sent to, and keep others off it. Raises `MasterKeyMissing`."""
        claim_id = uuid4()
        with self._database.get_connection() as connection:
            row = connection.execute(
                SQL["claim_webhook"], {"claim_id": claim_id, "now": now, "until": until}, prepare=True
            ).fetchone()
            if row is None:
                return None
            key = {"webhook_id": row["webhook_id"], "now": now}
            secrets = connection.execute(SQL["find_secrets"], key, prepare=True).fetchall()
        opened = [
            self._seals.open(row["webhook_id"], "secret", one["master_key_id"], one["sealed_secret"]) for one in secrets
        ]
        return Claim(claim_id, self._seals.webhook(row), opened)

    def delivered(self, claim: Claim, delivery: Delivery, until: datetime) -> bool:
        """Note that an event was taken, and go on holding the claim; return False where it is lost."""
        return self._note("note_delivered", claim, delivery, until=until)

    def failed(self, claim: Claim, delivery: Delivery, due_at: datetime) -> bool:
        """Note that an event was not taken, and let go until it is due again; return False where the claim is lost."""
        log.warning(
            "webhook.failed",
            webhook_id=str(claim.webhook.webhook_id),
            event_id=delivery.event_id,
            attempt=delivery.attempt,
            status=delivery.status,
            error=delivery.error,
        )
        return self._note("note_failed", claim, delivery, due_at=due_at)

    def let_go(self, claim: Claim, due_at: datetime, position: int | None = None) -> None:
        """Let others have the webhook; `position` is how far there is nothing that it wants."""
        told = {**_key(claim), "due_at": due_at, "position": position}
        with self._database.get_connection() as connection:
            connection.execute(SQL["let_go"], told, prepare=True)

    def _note(self, statement: str, claim: Claim, delivery: Delivery, **until: datetime) -> bool:
        with self._database.get_connection() as connection:
            noted = connection.execute(SQL[statement], {**_key(claim), **vars(delivery), **until}, prepare=True)
        return noted.rowcount == 1


def _key(claim: Claim) -> dict[str, object]:
    return {"webhook_id": claim.webhook.webhook_id, "claim_id": claim.claim_id}
