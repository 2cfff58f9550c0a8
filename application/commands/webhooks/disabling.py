"""Disabling of webhooks whose receiver fails or whose API key has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.command_context import CommandContext
from application.commands.api_keys import Scope
from application.commands.webhooks.webhook import DisableReason
from application.errors import InvalidValue
from application.transactional_writes import AssignWebhook, DisableWebhook, RequireActiveApiKey
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from uuid import UUID

    from application.commands.api_keys import ApiKey
    from application.commands.webhooks.ports import WebhookStore
    from application.commands.webhooks.recorder import Decision, WebhookRecorder
    from application.ports.clock import Clock
    from application.transactional_writes import TransactionalWrite
    from domain import events


class WebhookDisabling:
    """Disables webhooks, or hands them over to another API key."""

    def __init__(self, recorder: WebhookRecorder, store: WebhookStore, clock: Clock) -> None:
        self._recorder = recorder
        self._store = store
        self._clock = clock

    def disable(self, webhook_id: UUID, why: DisableReason) -> None:
        """Disable a webhook until it is enabled again. Do nothing if it is disabled or deleted."""

        def decide() -> Decision:
            webhook = self._store.find(webhook_id)
            if webhook is None or webhook.disabled_at is not None:
                return [], []
            event = self._recorder.disabled_event(webhook, why, CommandContext(ActorType.SYSTEM, "webhooks"))
            return [event], [DisableWebhook(webhook_id, event.originator_version, str(why), event.timestamp)]

        self._recorder.record(decide)

    def disable_webhooks_of_ended_keys(self) -> int:
        """Disable some webhooks of revoked or expired API keys, and return their number."""
        webhooks = self._store.list_active_with_ended_key(self._clock())
        for webhook in webhooks:
            why = DisableReason.KEY_REVOKED if webhook.is_revoked else DisableReason.KEY_EXPIRED
            self.disable(webhook.webhook_id, why)
        return len(webhooks)

    def writes_for_revoked_key(
        self, api_key_id: UUID, new_owner: ApiKey | None, context: CommandContext
    ) -> tuple[list[events.WebhookEvent], list[TransactionalWrite], int, int]:
        """Return the events and writes that disable the active webhooks of a key, or hand them over to `new_owner`.

        The numbers are those of disabled and of handed-over webhooks. Raises `InvalidValue` if the new owner does not
        allow the account of one of the webhooks.
        """
        new_events: list[events.WebhookEvent] = []
        writes: list[TransactionalWrite] = []
        webhooks = self._store.list_active_by_key(api_key_id)
        for webhook in webhooks:
            if new_owner is None:
                event = self._recorder.disabled_event(webhook, DisableReason.KEY_REVOKED, context)
                version, at = event.originator_version, event.timestamp
                writes.append(DisableWebhook(webhook.webhook_id, version, str(DisableReason.KEY_REVOKED), at))
            else:
                if not new_owner.allows_account(webhook.account_id):
                    raise InvalidValue("hand_webhooks_to", "must be an API key for the accounts of all webhooks")
                event = self._recorder.adopted_event(webhook, new_owner.api_key_id, context)
                writes.append(AssignWebhook(webhook.webhook_id, event.originator_version, new_owner.api_key_id))
            new_events.append(event)
        if new_owner is not None and webhooks:
            writes.insert(0, RequireActiveApiKey(new_owner.api_key_id, self._clock()))
        handed_over = len(webhooks) if new_owner is not None else 0
        return new_events, writes, len(webhooks) - handed_over, handed_over

    def count_active_without_key(self, scope: Scope) -> int:
        """Return the number of active webhooks without a key that keys of a scope may own."""
        if scope not in {Scope.PORTAL, Scope.ANALYTICS}:
            return 0
        return self._store.count_active_without_key(all_accounts=scope is Scope.ANALYTICS)
