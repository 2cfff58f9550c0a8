"""Webhooks, which send the events of one account or of all accounts to a receiver."""

from __future__ import annotations

from application.commands.webhooks.commands import (
    MAX_WEBHOOKS_OF_ALL_ACCOUNTS,
    MAX_WEBHOOKS_PER_ACCOUNT,
    SECRET_OVERLAP,
    Webhooks,
)
from application.commands.webhooks.disabling import WebhookDisabling
from application.commands.webhooks.ports import EventPositions, Signatures, WebhookStore, WebhookWithEndedKey
from application.commands.webhooks.recorder import WebhookRecorder
from application.commands.webhooks.webhook import (
    SLOW_MILLISECONDS,
    Delivery,
    DisableReason,
    NewKey,
    NewWebhook,
    SignatureAlgorithm,
    Webhook,
)

__all__ = [
    "MAX_WEBHOOKS_OF_ALL_ACCOUNTS",
    "MAX_WEBHOOKS_PER_ACCOUNT",
    "SECRET_OVERLAP",
    "SLOW_MILLISECONDS",
    "Delivery",
    "DisableReason",
    "EventPositions",
    "NewKey",
    "NewWebhook",
    "SignatureAlgorithm",
    "Signatures",
    "Webhook",
    "WebhookDisabling",
    "WebhookRecorder",
    "WebhookStore",
    "WebhookWithEndedKey",
    "Webhooks",
]
