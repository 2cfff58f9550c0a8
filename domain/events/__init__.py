"""Events that this service records, one module per subject.

Events are flat, named in the past tense, and never contain a password, a password hash or a token. Personal data is
`Ciphertext` under the data key of the person that `key_owner_id` returns. A stored topic name (`TOPIC`) never changes.
Each class has a descriptor; the audit actions, the published event types and the OCSF classes are derived from them.
"""

from __future__ import annotations

from typing import TypeAlias

from eventsourcing.utils import register_topic

from domain.events.account_email import (
    MainAccountEmailChangeRequested,
    MainAccountEmailChangeUndone,
    MainAccountFormerEmailKept,
    SignInEmailAnnounced,
)
from domain.events.api_key import ApiKeyCreated, ApiKeyEvent, ApiKeyFirstUsed, ApiKeyLimitsChanged, ApiKeyRevoked
from domain.events.audit import AuditEvent, AuditLogExported, AuditLogRead
from domain.events.base import METADATA_FIELDS, Event
from domain.events.installation import ActivityTypesSet, InstallationEvent, PermissionCatalogueSet
from domain.events.main_account import (
    MainAccountClosed,
    MainAccountDetailsChanged,
    MainAccountExternalIdSet,
    MainAccountLoggedIn,
    MainAccountLoggedOut,
    MainAccountLoginRefused,
    MainAccountPlanSet,
    MainAccountRegistered,
    PasswordResetPolicySet,
    SubUserLimitRaised,
    UsageThresholdReached,
)
from domain.events.reported import ReportedEvent, SubUserActivityRecorded, UsageRecorded
from domain.events.role import RoleChanged, RoleCreated, RoleDeleted, RoleGranted, RoleRevoked
from domain.events.second_factor import (
    RecoveryCodesIssued,
    SecondFactorAdded,
    SecondFactorPolicySet,
    SecondFactorRefused,
    SecondFactorRemoved,
    SecondFactorsReset,
    SecondFactorVerified,
)
from domain.events.sign_in import (
    LinkUsed,
    NewDeviceSignedIn,
    NoticeMailed,
    NoticeMailFailed,
    PasswordResetForwarded,
    PasswordResetRequested,
)
from domain.events.sub_user import (
    CredentialsMailed,
    CredentialsMailFailed,
    PersonalDataErased,
    SubUserAccessExpirySet,
    SubUserActivated,
    SubUserCreated,
    SubUserDeactivated,
    SubUserDeleted,
    SubUserDetailsChanged,
    SubUserEmailChanged,
    SubUserLockedOut,
    SubUserLoggedIn,
    SubUserLoggedOut,
    SubUserLoginRefused,
    SubUserPasswordChanged,
    SubUserPasswordReset,
    SubUserUnlocked,
    SubUserVisibilityChanged,
)
from domain.events.webhook import (
    WebhookAdopted,
    WebhookCreated,
    WebhookDeleted,
    WebhookDisabled,
    WebhookEnabled,
    WebhookEvent,
    WebhookReplayed,
    WebhookSecretRotated,
)

AnyEvent: TypeAlias = Event | ReportedEvent | WebhookEvent | ApiKeyEvent | AuditEvent | InstallationEvent
"""Any event of the store."""


def _classes(*bases: type[AnyEvent]) -> tuple[type[AnyEvent], ...]:
    """Return the classes of events with these bases, in the order of their definitions."""
    return tuple(event_class for base in bases for event_class in base.__subclasses__())


def _topics(*bases: type[AnyEvent]) -> frozenset[str]:
    return frozenset(event_class.TOPIC for event_class in _classes(*bases))


EVENT_CLASSES = _classes(Event, ReportedEvent, WebhookEvent, ApiKeyEvent, InstallationEvent, AuditEvent)
"""Every class of events, in the order in which documents list them."""

ACCOUNT_TOPICS = _topics(Event)
"""Topics of events in the streams of accounts. `domain.main_account` registers them with its own subclasses."""

REPORTED_TOPICS = _topics(ReportedEvent)
"""Topics of events that the portal reports. Each has its own stream and its own time of occurrence."""

OTHER_STREAM_TOPICS = _topics(WebhookEvent, ApiKeyEvent, InstallationEvent, AuditEvent)
"""Topics in streams of webhooks, API keys, the installation and accesses. Their account, if any, is in the
field `account_id`."""

NON_ACCOUNT_TOPICS = REPORTED_TOPICS | OTHER_STREAM_TOPICS
"""Topics of events outside the streams of accounts."""

for _event_class in EVENT_CLASSES:
    if not issubclass(_event_class, Event):  # `Event` classes: see `ACCOUNT_TOPICS`
        register_topic(_event_class.TOPIC, _event_class)
