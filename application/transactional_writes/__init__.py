"""Writes that are committed in the same transaction as the events of a command.

Each class corresponds to one SQL statement of the same name, and its fields are the parameters of the statement
(`adapters/postgres/event_store/sql/transactional_writes.sql`).
"""

from __future__ import annotations

from application.transactional_writes.accounts import (
    AddAccountToDirectory,
    AddFormerEmail,
    LockAccountInDirectory,
    ReleaseFormerEmail,
    RemoveAccountFromDirectory,
    RequireOpenAccount,
    SetAccountExternalId,
)
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
    MoveAttemptExemption,
    ReplacePasswordHash,
    ResetFailedAttempts,
    SetTemporaryPasswordExpiry,
    StorePassword,
)
from application.transactional_writes.data_keys import EraseDataKey, PlaceLegalHold, StoreDataKey
from application.transactional_writes.links import DeleteLinks, ForgetMailedSecret, StoreLink
from application.transactional_writes.mails import FinishMail
from application.transactional_writes.responses import StoreIdempotentResponse
from application.transactional_writes.roles import (
    AddGrant,
    AddRole,
    LockPermissionCatalogue,
    RemoveGrant,
    RemoveGrantsOfSubUser,
    RemoveRole,
    RemoveRolesOfAccount,
    RequireCatalogueRevision,
    RequireUnusedPermissions,
    SetRolePermissions,
)
from application.transactional_writes.second_factors import (
    AddSecondFactor,
    DeleteChallenge,
    DeleteRecoveryCode,
    RecordSecondFactorUse,
    RemoveSecondFactor,
    RemoveSecondFactorsOfPerson,
    ReplaceRecoveryCodes,
    RequireSecondFactor,
)
from application.transactional_writes.sessions import (
    CloseAccountSessions,
    ClosePersonSessions,
    CloseSession,
    DeleteConsoleLink,
    LimitSessions,
    OpenSession,
    RememberDevice,
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
    "AddAccountToDirectory",
    "AddApiKey",
    "AddFormerEmail",
    "AddGrant",
    "AddRole",
    "AddSecondFactor",
    "AddWebhook",
    "AddWebhookSecret",
    "AssignWebhook",
    "CloseAccountSessions",
    "ClosePersonSessions",
    "CloseSession",
    "DeleteChallenge",
    "DeleteConsoleLink",
    "DeleteLinks",
    "DeleteRecoveryCode",
    "DisableWebhook",
    "EnableWebhook",
    "EraseDataKey",
    "FinishMail",
    "ForgetAccountPasswords",
    "ForgetFailedAttempts",
    "ForgetMailedPassword",
    "ForgetMailedSecret",
    "LimitSessions",
    "LockAccountInDirectory",
    "LockPermissionCatalogue",
    "MoveAttemptExemption",
    "OpenSession",
    "PlaceLegalHold",
    "RecordApiKeyUse",
    "RecordSecondFactorUse",
    "ReleaseFormerEmail",
    "RememberDevice",
    "RemoveAccountFromDirectory",
    "RemoveAccountWebhooks",
    "RemoveGrant",
    "RemoveGrantsOfSubUser",
    "RemoveRole",
    "RemoveRolesOfAccount",
    "RemoveSecondFactor",
    "RemoveSecondFactorsOfPerson",
    "RemoveWebhook",
    "ReplacePasswordHash",
    "ReplaceRecoveryCodes",
    "ReplayWebhook",
    "RequireActiveApiKey",
    "RequireCatalogueRevision",
    "RequireNoActiveWebhook",
    "RequireOpenAccount",
    "RequireSecondFactor",
    "RequireUnusedPermissions",
    "ResetFailedAttempts",
    "RevokeApiKey",
    "SetAccountExternalId",
    "SetApiKeyLimits",
    "SetRolePermissions",
    "SetTemporaryPasswordExpiry",
    "SetWebhookVersion",
    "StoreDataKey",
    "StoreIdempotentResponse",
    "StoreLink",
    "StorePassword",
    "TransactionalWrite",
]
