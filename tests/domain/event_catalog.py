"""Event classes of `domain/events/` and their properties, for the tests of events."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import pytest
from eventsourcing.domain import DomainEvent

from domain import events

BASES = {
    *(events.Event, events.ReportedEvent, events.WebhookEvent, events.AuditEvent, events.ApiKeyEvent),
    events.InstallationEvent,
}
EVENT_CLASSES = {
    name: value
    for module in iter_modules(events.__path__, f"{events.__name__}.")
    for name, value in vars(import_module(module.name)).items()
    if isinstance(value, type)
    and issubclass(value, DomainEvent)
    and value.__module__ == module.name
    and value not in BASES
}
"""Every event class of `domain/events/`, whether or not it is registered."""
NOT_APPLIED = {
    *("SubUserLoginRefused", "SubUserLoggedOut", "PersonalDataErased"),
    *("MainAccountLoggedIn", "MainAccountLoginRefused", "MainAccountLoggedOut"),
    *("PasswordResetRequested", "PasswordResetForwarded", "LinkUsed", "NoticeMailed", "NoticeMailFailed"),
    *("RecoveryCodesIssued", "SecondFactorVerified", "SecondFactorRefused"),
    *("NewDeviceSignedIn", "SignInEmailAnnounced"),
}
"""Events that `MainAccount` records without an `@event` method, because no decision depends on them."""
NOT_IN_HISTORY_STATE = {
    *("SubUserLoggedIn", "CredentialsMailed", "CredentialsMailFailed"),
    *("UsageThresholdReached", "PasswordResetPolicySet"),
    *("MainAccountEmailChangeRequested", "MainAccountFormerEmailKept", "MainAccountEmailChangeUndone"),
}
"""Applied events that the query `state_events` leaves out: logins and mails, of which a history has many, and what its
state does not show."""
OTHER_STREAM_CLASSES = (events.WebhookEvent, events.AuditEvent, events.ApiKeyEvent, events.InstallationEvent)
"""Base classes of events in streams of their own, with many events each."""
ONLY_EVENT_OF_STREAM = {"SubUserActivityRecorded", "UsageRecorded"}
"""Events in streams of their own, with one event each."""

every_event_class = pytest.mark.parametrize("event_class", EVENT_CLASSES.values(), ids=EVENT_CLASSES)
