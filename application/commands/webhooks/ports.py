"""Ports of the webhook commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from application.commands.webhooks.webhook import Delivery, NewKey, SignatureAlgorithm, Webhook


@dataclass(frozen=True)
class WebhookWithEndedKey:
    """Active webhook whose API key was revoked (`is_revoked`) or has expired."""

    webhook_id: UUID
    is_revoked: bool


class WebhookStore(Protocol):
    """Stored webhooks. Commands change them through transactional writes (`application.transactional_writes`).

    A webhook is for one account, or for all accounts: then its `account_id` is None.
    """

    def find(self, webhook_id: UUID) -> Webhook | None:
        """Return a webhook, if it exists."""

    def page(
        self, *, all_accounts: bool, account_id: UUID | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Webhook], str | None]:
        """Return a page of webhooks, oldest first, and the cursor of the next. Raises `InvalidValue`.

        With `all_accounts`, these are the webhooks for all accounts, and `account_id` is None. Otherwise they are those
        of the account `account_id`, or all webhooks that are limited to one account if it is None.
        """

    def deliveries(self, webhook_id: UUID, limit: int, cursor: str | None) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of a webhook's delivery log, newest first. Raises `InvalidValue`."""

    def list_active_by_key(self, api_key_id: UUID) -> Sequence[Webhook]:
        """Return the active webhooks of the API key with this id, ordered by webhook id."""

    def list_active_with_ended_key(self, now: datetime) -> Sequence[WebhookWithEndedKey]:
        """Return a batch of active webhooks whose API key was revoked or has expired."""

    def count_active_without_key(self, *, all_accounts: bool) -> int:
        """Return the number of active webhooks without an API key: for all accounts, or limited to one account."""

    def occupied_slots(self, account_id: UUID | None) -> Sequence[int]:
        """Return the slots of an account's webhooks; for None, those of the webhooks for all accounts.

        A slot is a number from 1 to the maximum number of webhooks. It is unique, so that concurrent commands cannot
        exceed the maximum.
        """

    def encrypt(self, webhook_id: UUID, field: str, data: bytes) -> tuple[str, bytes]:
        """Return the id of the master key, and a webhook's field encrypted under it."""

    def encrypt_details(self, webhook_id: UUID, url: str, description: str | None) -> tuple[str, bytes]:
        """Return the id of the master key, and a URL and description encrypted under it for a webhook."""


class Signatures(Protocol):
    """Generates keys of webhooks, and signs with them."""

    def new_key(self, algorithm: SignatureAlgorithm) -> NewKey:
        """Return a new key."""

    def signature_header(
        self, algorithm: SignatureAlgorithm, secrets: Sequence[bytes], message_id: str, sent_at: datetime, body: str
    ) -> str:
        """Return the header `webhook-signature`, with a signature by each of these secrets."""


class EventPositions(Protocol):
    """Positions at the end of the event store."""

    def settled_position(self) -> int:
        """Return the last settled position: no event can appear before it any more."""

    def recorded_position(self) -> int:
        """Return the position of the last recorded event, settled or not."""
