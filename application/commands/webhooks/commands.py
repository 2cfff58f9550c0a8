"""Commands and queries on webhooks, called by API keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application.errors import InvalidValue
from application.repository import Outcome
from application.transactional_writes import (
    AddWebhook,
    AddWebhookSecret,
    AssignWebhook,
    EnableWebhook,
    RemoveWebhook,
    ReplayWebhook,
    RequireActiveApiKey,
    SetWebhookVersion,
    TransactionalWrite,
)
from domain import events
from domain.refusals import AccountIsClosed, WebhookLimitReached, WebhookNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from application.command_context import CommandContext
    from application.commands.webhooks.ports import EventPositions, Signatures, WebhookStore
    from application.commands.webhooks.recorder import Decision, WebhookRecorder
    from application.commands.webhooks.webhook import Delivery, NewKey, NewWebhook, Webhook
    from application.ports.clock import Clock
    from application.repository import MainAccounts
    from application.webhook_url_policy import WebhookUrlPolicy

MAX_WEBHOOKS_PER_ACCOUNT = 10
MAX_WEBHOOKS_OF_ALL_ACCOUNTS = 20
SECRET_OVERLAP = timedelta(hours=24)


class Webhooks:
    """Commands and queries on webhooks.

    With `all_accounts` they are about webhooks for all accounts, otherwise about webhooks limited to one account.
    """

    def __init__(
        self,
        recorder: WebhookRecorder,
        accounts: MainAccounts,
        store: WebhookStore,
        signatures: Signatures,
        url_policy: WebhookUrlPolicy,
        event_positions: EventPositions,
        clock: Clock,
    ) -> None:
        self._recorder = recorder
        self._accounts = accounts
        self._store = store
        self._signatures = signatures
        self._url_policy = url_policy
        self._event_positions = event_positions
        self._clock = clock

    def create(self, new: NewWebhook, context: CommandContext) -> Outcome[tuple[Webhook, str]]:
        """Create a webhook, and return it with the key that its receiver needs, which is not shown again.

        Raises `InvalidValue`, `AccountNotFound`, `AccountIsClosed`, `WebhookLimitReached`.
        """
        self._url_policy.parse_allowed(new.url)
        metadata = self._recorder.metadata(new.account_id, context)
        after = self._start_position(new.after)
        webhook_id, key = uuid4(), self._signatures.new_key(new.signature_algorithm)

        def decide() -> Decision:
            self._ensure_open(new.account_id)
            event = self._recorder.event(events.WebhookCreated, webhook_id, new.account_id, 1, metadata)
            writes = [self._add_webhook(new, webhook_id, after, event.timestamp), self._add_secret(webhook_id, key)]
            if new.api_key_id is not None:
                writes.insert(0, RequireActiveApiKey(new.api_key_id, event.timestamp))
            return [event], writes

        position = self._recorder.record(decide)
        return Outcome((self._load(webhook_id), key.receiver_key), position)

    def get(self, webhook_id: UUID, *, all_accounts: bool) -> Webhook:
        """Return a webhook. Raises `WebhookNotFound`."""
        webhook = self._load(webhook_id)
        if (webhook.account_id is None) is not all_accounts:
            raise WebhookNotFound
        return webhook

    def page(
        self, *, all_accounts: bool, account_id: UUID | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Webhook], str | None]:
        """Return a page of webhooks, oldest first, and the cursor of the next. Raises `InvalidValue`."""
        return self._store.page(all_accounts=all_accounts, account_id=account_id, limit=limit, cursor=cursor)

    def deliveries(
        self, webhook_id: UUID, *, all_accounts: bool, limit: int, cursor: str | None
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of the delivery log, newest first, and the cursor of the next. Raises `WebhookNotFound`."""
        self.get(webhook_id, all_accounts=all_accounts)
        return self._store.deliveries(webhook_id, limit, cursor)

    def delete(self, webhook_id: UUID, context: CommandContext, *, all_accounts: bool) -> Outcome[None]:
        """Delete a webhook permanently. Raises `WebhookNotFound`."""

        def decide() -> Decision:
            webhook = self.get(webhook_id, all_accounts=all_accounts)
            return [self._recorder.next_event(events.WebhookDeleted, webhook, context)], [RemoveWebhook(webhook_id)]

        return Outcome(None, self._recorder.record(decide))

    def add_secret(
        self, webhook_id: UUID, context: CommandContext, *, all_accounts: bool
    ) -> Outcome[tuple[Webhook, str]]:
        """Add a signing key to a webhook. The former keys also sign for `SECRET_OVERLAP`. Raises `WebhookNotFound`."""
        key = self._signatures.new_key(self.get(webhook_id, all_accounts=all_accounts).signature_algorithm)

        def decide() -> Decision:
            webhook = self.get(webhook_id, all_accounts=all_accounts)
            event = self._recorder.next_event(events.WebhookSecretRotated, webhook, context)
            set_version = SetWebhookVersion(webhook_id, event.originator_version)
            return [event], [self._add_secret(webhook_id, key), set_version]

        position = self._recorder.record(decide)
        return Outcome((self._load(webhook_id), key.receiver_key), position)

    def enable(
        self, webhook_id: UUID, context: CommandContext, *, all_accounts: bool, api_key_id: UUID | None = None
    ) -> Outcome[Webhook]:
        """Enable a disabled webhook where it stopped, or retry a failing one immediately.

        Assign a disabled webhook to `api_key_id`. Raises `WebhookNotFound`.
        """
        return self._resume(webhook_id, None, context, all_accounts=all_accounts, api_key_id=api_key_id)

    def replay(
        self,
        webhook_id: UUID,
        after: int,
        context: CommandContext,
        *,
        all_accounts: bool,
        api_key_id: UUID | None = None,
    ) -> Outcome[Webhook]:
        """Let a webhook continue after another position, earlier or later. Enable it if it is disabled.

        Assign a disabled webhook to `api_key_id`. Raises `WebhookNotFound` or `InvalidValue`.
        """
        return self._resume(
            webhook_id, self._start_position(after), context, all_accounts=all_accounts, api_key_id=api_key_id
        )

    def adopt(
        self, webhook_id: UUID, api_key_id: UUID, context: CommandContext, *, all_accounts: bool
    ) -> Outcome[Webhook]:
        """Assign a webhook to an API key. Raises `WebhookNotFound`."""

        def decide() -> Decision:
            webhook = self.get(webhook_id, all_accounts=all_accounts)
            if webhook.api_key_id == api_key_id:
                return [], []
            event = self._recorder.adopted_event(webhook, api_key_id, context)
            writes: list[TransactionalWrite] = [
                RequireActiveApiKey(api_key_id, event.timestamp),
                AssignWebhook(webhook_id, event.originator_version, api_key_id),
            ]
            return [event], writes

        position = self._recorder.record(decide)
        return Outcome(self._load(webhook_id), position)

    def _resume(
        self,
        webhook_id: UUID,
        after: int | None,
        context: CommandContext,
        *,
        all_accounts: bool,
        api_key_id: UUID | None,
    ) -> Outcome[Webhook]:
        def decide() -> Decision:
            webhook = self.get(webhook_id, all_accounts=all_accounts)
            position = webhook.position if after is None else after
            new_events: list[events.WebhookEvent] = []
            writes: list[TransactionalWrite] = []
            if webhook.disabled_at is not None and api_key_id is not None and api_key_id != webhook.api_key_id:
                event = self._recorder.adopted_event(webhook, api_key_id, context)
                new_events.append(event)
                writes.append(RequireActiveApiKey(api_key_id, event.timestamp))
                writes.append(AssignWebhook(webhook_id, event.originator_version, api_key_id))
                webhook = replace(webhook, version=webhook.version + 1)
            if after is not None or (webhook.disabled_at is None and webhook.failures):
                event = self._recorder.next_event(events.WebhookReplayed, webhook, context, after=position)
                new_events.append(event)
                writes.append(ReplayWebhook(webhook_id, event.originator_version, position, self._clock()))
                webhook = replace(webhook, version=webhook.version + 1)
            if webhook.disabled_at is not None:
                event = self._recorder.next_event(events.WebhookEnabled, webhook, context)
                new_events.append(event)
                writes.append(EnableWebhook(webhook_id, event.originator_version, position, event.timestamp))
            return new_events, writes

        position = self._recorder.record(decide)
        return Outcome(self._load(webhook_id), position)

    def _load(self, webhook_id: UUID) -> Webhook:
        webhook = self._store.find(webhook_id)
        if webhook is None:
            raise WebhookNotFound
        return webhook

    def _ensure_open(self, account_id: UUID | None) -> None:
        if account_id is not None and self._accounts.load(account_id).closed_at is not None:
            raise AccountIsClosed

    def _start_position(self, after: int | None) -> int:
        if after is None:
            return self._event_positions.settled_position()
        if after > self._event_positions.recorded_position():
            raise InvalidValue("after", "must not be after the last recorded event")
        return after

    def _add_webhook(self, new: NewWebhook, webhook_id: UUID, after: int, at: datetime) -> AddWebhook:
        maximum = MAX_WEBHOOKS_OF_ALL_ACCOUNTS if new.account_id is None else MAX_WEBHOOKS_PER_ACCOUNT
        free_slots = sorted(set(range(1, maximum + 1)) - set(self._store.occupied_slots(new.account_id)))
        if not free_slots:
            raise WebhookLimitReached
        master_key_id, encrypted_details = self._store.encrypt_details(webhook_id, new.url, new.description)
        return AddWebhook(
            webhook_id=webhook_id,
            account_id=new.account_id,
            api_key_id=new.api_key_id,
            slot=free_slots[0],
            types=new.event_types,
            signature=str(new.signature_algorithm),
            master_key_id=master_key_id,
            encrypted_details=encrypted_details,
            position=after,
            created_at=at,
        )

    def _add_secret(self, webhook_id: UUID, key: NewKey) -> AddWebhookSecret:
        now = self._clock()
        master_key_id, encrypted_secret = self._store.encrypt(webhook_id, "secret", key.secret)
        return AddWebhookSecret(webhook_id, master_key_id, encrypted_secret, now, now + SECRET_OVERLAP)
