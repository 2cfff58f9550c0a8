"""Recording of the events of webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from application.data_keys import load_owner_key
from application.errors import TooBusy, VersionConflict
from application.transactional_writes import RequireOpenAccount, TransactionalWrite
from domain import events
from domain.event_metadata import ActorType, EventMetadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from application.command_context import CommandContext
    from application.commands.webhooks.webhook import DisableReason, Webhook
    from application.ports.clock import Clock
    from application.ports.vault import Vault
    from application.repository import MainAccounts

Decision = tuple["list[events.WebhookEvent]", "list[TransactionalWrite]"]

ATTEMPTS = 20
"""Maximum attempts of a command after conflicts with others on the same webhook."""


class WebhookRecorder:
    """Creates the events of webhooks, and saves them with their writes."""

    def __init__(self, accounts: MainAccounts, vault: Vault, clock: Clock) -> None:
        self._accounts = accounts
        self._vault = vault
        self._clock = clock

    def record(self, decide: Callable[[], Decision]) -> int | None:
        """Decide and save, again after conflicts on the same webhook, and return the position.

        Closing an account deletes its webhooks without appending to their streams, so a version check would not detect
        it. Therefore the transaction requires that the account is open.
        """
        for _ in range(ATTEMPTS):
            new_events, writes = decide()
            if new_events and (account_id := new_events[0].account_id) is not None:
                writes = [RequireOpenAccount(account_id), *writes]
            try:
                recordings = self._accounts.save(*new_events, writes=writes)
            except VersionConflict:
                continue
            return recordings[-1].notification.id if recordings else None
        raise TooBusy

    def disabled_event(self, webhook: Webhook, why: DisableReason, context: CommandContext) -> events.WebhookEvent:
        """Return the event that disables a webhook."""
        return self.next_event(events.WebhookDisabled, webhook, context, why=str(why), failures=webhook.failures)

    def adopted_event(self, webhook: Webhook, api_key_id: UUID, context: CommandContext) -> events.WebhookEvent:
        """Return the event that assigns a webhook to an API key."""
        former = webhook.api_key_id
        return self.next_event(events.WebhookAdopted, webhook, context, api_key_id=api_key_id, former_api_key_id=former)

    def next_event(
        self,
        event_class: type[events.WebhookEvent],
        webhook: Webhook,
        context: CommandContext,
        **fields: Any,
    ) -> events.WebhookEvent:
        """Return the next event in the stream of a webhook."""
        metadata = self.metadata(webhook.account_id, context)
        version = webhook.version + 1
        return self.event(event_class, webhook.webhook_id, webhook.account_id, version, metadata, **fields)

    def event(
        self,
        event_class: type[events.WebhookEvent],
        webhook_id: UUID,
        account_id: UUID | None,
        version: int,
        metadata: EventMetadata,
        **fields: Any,
    ) -> events.WebhookEvent:
        """Return an event in the stream of a webhook."""
        return event_class(
            originator_id=webhook_id,
            originator_version=version,
            timestamp=self._clock(),
            webhook_id=webhook_id,
            account_id=account_id,
            **vars(metadata),
            **fields,
        )

    def metadata(self, account_id: UUID | None, context: CommandContext) -> EventMetadata:
        """Return the metadata for an event. Without an account it omits personal data, for which there is no key."""
        if account_id is None or context.actor_type is ActorType.SYSTEM:
            return context.without_personal_data()
        return context.for_account(account_id).encrypted_with(load_owner_key(self._vault, account_id))
