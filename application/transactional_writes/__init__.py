"""Writes that are committed in the same transaction as the events of a command.

Each class corresponds to one SQL statement of the same name, and its fields are the parameters of the statement
(`adapters/postgres/event_store/sql/transactional_writes.sql`).
"""

from __future__ import annotations

from application.transactional_writes.accounts import ListAccount, RequireOpenAccount, UnlistAccount
from application.transactional_writes.api_keys import (
    AddApiKey,
    RecordApiKeyUse,
    RequireActiveApiKey,
    RequireNoActiveWebhook,
    RevokeApiKey,
    SetApiKeyLimits,
)
from application.transactional_writes.base import TransactionalWrite
from application.transactional_writes.credentials import (
    ForgetAccountPasswords,
    ForgetFailedAttempts,
    ForgetMailedPassword,
    ReplacePasswordHash,
    ResetFailedAttempts,
    SetTemporaryPasswordExpiry,
    StorePassword,
)
from application.transactional_writes.data_keys import EraseDataKey, PlaceLegalHold, StoreDataKey
from application.transactional_writes.mails import FinishMail
from application.transactional_writes.responses import StoreIdempotentResponse
from application.transactional_writes.sessions import (
    CloseAccountSessions,
    ClosePersonSessions,
    CloseSession,
    LimitSessions,
    OpenSession,
    SpendConsoleLink,
)
from application.transactional_writes.webhooks import (
    AddWebhook,
    AddWebhookSecret,
    AssignWebhook,
    DisableWebhook,
    EnableWebhook,
    RemoveAccountWebhooks,
    RemoveWebhook,
    ReplayWebhook,
    SetWebhookVersion,
)

__all__ = [
    "AddApiKey",
    "AddWebhook",
    "AddWebhookSecret",
    "AssignWebhook",
    "CloseAccountSessions",
    "ClosePersonSessions",
    "CloseSession",
    "DisableWebhook",
    "EnableWebhook",
    "EraseDataKey",
    "FinishMail",
    "ForgetAccountPasswords",
    "ForgetFailedAttempts",
    "ForgetMailedPassword",
    "LimitSessions",
    "ListAccount",
    "OpenSession",
    "PlaceLegalHold",
    "RecordApiKeyUse",
    "RemoveAccountWebhooks",
    "RemoveWebhook",
    "ReplacePasswordHash",
    "ReplayWebhook",
    "RequireActiveApiKey",
    "RequireNoActiveWebhook",
    "RequireOpenAccount",
    "ResetFailedAttempts",
    "RevokeApiKey",
    "SetApiKeyLimits",
    "SetTemporaryPasswordExpiry",
    "SetWebhookVersion",
    "SpendConsoleLink",
    "StoreDataKey",
    "StoreIdempotentResponse",
    "StorePassword",
    "TransactionalWrite",
    "UnlistAccount",
]
