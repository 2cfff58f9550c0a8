"""What must be true the moment an event is: sessions that end, keys that go, an e-mail that leads to an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.records import (
    AccountListed,
    AccountPasswordsDropped,
    AccountSessionsClosed,
    AccountUnlisted,
    AccountWebhooksRemoved,
    PersonForgotten,
    Record,
    SessionClosed,
    SessionsClosed,
    SessionsLimited,
)
from domain import events

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

ENDING_SESSIONS = (
    events.SubUserActivated,
    events.SubUserDeactivated,
    events.SubUserPasswordReset,
    events.SubUserPasswordChanged,
    events.SubUserLockedOut,
    events.SubUserDeleted,
)


def consequences(recorded: Iterable[object]) -> list[Record]:
    """Return what is written together with these events, in their order."""
    return [record for event in recorded for record in _of(event)]


def _of(event: object) -> list[Record]:  # noqa: PLR0911  # one return for each kind of event
    match event:
        case events.MainAccountRegistered():
            return [AccountListed(event.email_hash, event.account_id)]
        case events.MainAccountDetailsChanged():
            return _of_changed_details(event)
        case events.MainAccountClosed():
            return [
                AccountUnlisted(event.account_id),
                AccountSessionsClosed(event.account_id),
                AccountPasswordsDropped(event.account_id),
                AccountWebhooksRemoved(event.account_id),
            ]
        case events.MainAccountLoggedOut():
            return [_ended(event.session_id, event.account_id)]
        case events.SubUserAccessExpirySet():
            return [SessionsLimited(event.sub_user_id, event.access_expires_at, event.timestamp)]
        case events.SubUserLoggedOut():
            return [_ended(event.session_id, event.sub_user_id)]
        case events.PersonalDataErased():
            return [PersonForgotten(event.sub_user_id or event.account_id)]
        case _ if isinstance(event, ENDING_SESSIONS):
            return [SessionsClosed(event.sub_user_id)]
        case _:
            return []


def _of_changed_details(event: events.MainAccountDetailsChanged) -> list[Record]:
    """Return what follows of a new e-mail, and of a new password: a session opened with the old one ends."""
    records: list[Record] = []
    if event.email_hash is not None:
        records += [AccountUnlisted(event.account_id), AccountListed(event.email_hash, event.account_id)]
    if event.password_changed:
        records.append(SessionsClosed(event.account_id))
    return records


def _ended(session_id: UUID | None, person_id: UUID) -> Record:
    return SessionsClosed(person_id) if session_id is None else SessionClosed(session_id, person_id)
