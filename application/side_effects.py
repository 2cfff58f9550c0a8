"""Side effects committed together with each event: ended sessions, deleted keys, removed directory entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.transactional_writes import (
    CloseAccountSessions,
    ClosePersonSessions,
    CloseSession,
    EraseDataKey,
    ForgetAccountPasswords,
    LimitSessions,
    RemoveAccountFromDirectory,
    RemoveAccountWebhooks,
    TransactionalWrite,
)
from domain import events

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

SESSION_ENDING_EVENTS = (
    events.SubUserActivated,
    events.SubUserDeactivated,
    events.SubUserPasswordReset,
    events.SubUserPasswordChanged,
    events.SubUserDeleted,
)
"""Events that end all sessions of their sub-user."""


def side_effects_of(recorded_events: Iterable[object]) -> list[TransactionalWrite]:
    """Return the writes that must be committed together with these events, in the order of the events."""
    return [write for event in recorded_events for write in _side_effects(event)]


def _side_effects(event: object) -> list[TransactionalWrite]:  # noqa: PLR0911  # one return for each kind of event
    match event:
        case events.MainAccountDetailsChanged() if event.password_changed:
            return [ClosePersonSessions(event.account_id)]
        case events.MainAccountClosed():
            return [
                RemoveAccountFromDirectory(event.account_id),
                CloseAccountSessions(event.account_id),
                ForgetAccountPasswords(event.account_id),
                RemoveAccountWebhooks(event.account_id),
            ]
        case events.MainAccountLoggedOut():
            return [_close_sessions(event.session_id, event.account_id)]
        case events.SubUserAccessExpirySet():
            return [LimitSessions(event.sub_user_id, event.access_expires_at, event.timestamp)]
        case events.SubUserLoggedOut():
            return [_close_sessions(event.session_id, event.sub_user_id)]
        case events.PersonalDataErased():
            return [EraseDataKey(event.sub_user_id or event.account_id)]
        case _ if isinstance(event, SESSION_ENDING_EVENTS):
            return [ClosePersonSessions(event.sub_user_id)]
        case _:
            return []


def _close_sessions(session_id: UUID | None, person_id: UUID) -> TransactionalWrite:
    return ClosePersonSessions(person_id) if session_id is None else CloseSession(session_id, person_id)
