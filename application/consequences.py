"""What must be true the moment an event is: sessions that end, keys that go, an e-mail that leads to an account."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from application.records import (
    AccountListed,
    AccountPasswordsDropped,
    AccountSessionsClosed,
    AccountUnlisted,
    PersonForgotten,
    Record,
    SessionClosed,
    SessionsClosed,
    SessionsLimited,
)
from domain import events

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        case events.MainAccountDetailsChanged(email_hash=str(email_hash)):
            return [AccountUnlisted(event.account_id), AccountListed(email_hash, event.account_id)]
        case events.MainAccountClosed():
            return [
                AccountUnlisted(event.account_id),
                AccountSessionsClosed(event.account_id),
                AccountPasswordsDropped(event.account_id),
            ]
        case events.SubUserAccessExpirySet():
            return [SessionsLimited(event.sub_user_id, event.access_expires_at, event.timestamp)]
        case events.SubUserLoggedOut(session_id=None):
            return [SessionsClosed(event.sub_user_id)]
        case events.SubUserLoggedOut(session_id=UUID() as session_id):
            return [SessionClosed(session_id, event.sub_user_id)]
        case events.PersonalDataErased():
            return [PersonForgotten(event.sub_user_id or event.account_id)]
        case _ if isinstance(event, ENDING_SESSIONS):
            return [SessionsClosed(event.sub_user_id)]
        case _:
            return []
