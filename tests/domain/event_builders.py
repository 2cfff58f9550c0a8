"""Sub-users and event builders for the domain tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain import events
from domain.event_metadata import Ciphertext
from domain.main_account import MainAccount
from domain.sub_user import Notice
from tests.domain.given_when_then import ACCOUNT, BY_OWNER, NOW, event_spec

if TYPE_CHECKING:
    from datetime import datetime

    from tests.domain.given_when_then import EventSpec

MARIA = UUID("5b000000-0000-4000-8000-000000000001")
LUCA = UUID("5b000000-0000-4000-8000-000000000002")
UNKNOWN_SUB_USER = UUID("5b000000-0000-4000-8000-00000000dead")
SESSION = UUID("5e000000-0000-4000-8000-000000000001")

REGISTERED = event_spec(
    events.MainAccountRegistered,
    originator_topic="MainAccount",
    email=Ciphertext("owner's e-mail"),
    email_hash="hash of owner's e-mail",
    company_name=Ciphertext("Acme"),
    language="en",
    sub_user_limit=10,
    external_id=None,
)
CLOSED = event_spec(events.MainAccountClosed)


def registered() -> MainAccount:
    """Return an account whose `REGISTERED` event is recorded but not yet collected."""
    return MainAccount.register(
        ACCOUNT,
        email=Ciphertext("owner's e-mail"),
        email_hash="hash of owner's e-mail",
        company_name=Ciphertext("Acme"),
        language="en",
        at=NOW,
        metadata=BY_OWNER,
    )


def sub_user_fields(sub_user_id: UUID) -> dict[str, Any]:
    """Return the identifying arguments of `MainAccount.create_sub_user`."""
    return {
        "sub_user_id": sub_user_id,
        "email": Ciphertext(f"e-mail of {sub_user_id}"),
        "email_hash": f"hash of e-mail of {sub_user_id}",
        "name": Ciphertext(f"name of {sub_user_id}"),
        "surname": Ciphertext(f"surname of {sub_user_id}"),
    }


def created(sub_user_id: UUID, **overrides: Any) -> EventSpec:
    defaults = {**sub_user_fields(sub_user_id), "visible": True, "access_expires_at": None}
    return event_spec(events.SubUserCreated, **{**defaults, **overrides})


def email_changed(sub_user_id: UUID, email: str) -> EventSpec:
    return event_spec(
        events.SubUserEmailChanged, sub_user_id=sub_user_id, email=Ciphertext(email), email_hash=f"hash of {email}"
    )


def activated(sub_user_id: UUID, *, credentials: int = 1, notice: Notice = Notice.ACTIVATION) -> EventSpec:
    return event_spec(events.SubUserActivated, sub_user_id=sub_user_id, credentials=credentials, notice=notice)


def deactivated(sub_user_id: UUID) -> EventSpec:
    return event_spec(events.SubUserDeactivated, sub_user_id=sub_user_id)


def password_reset(sub_user_id: UUID, *, credentials: int, notice: Notice) -> EventSpec:
    return event_spec(events.SubUserPasswordReset, sub_user_id=sub_user_id, credentials=credentials, notice=notice)


def password_changed(sub_user_id: UUID, *, credentials: int) -> EventSpec:
    return event_spec(events.SubUserPasswordChanged, sub_user_id=sub_user_id, credentials=credentials)


def logged_in(sub_user_id: UUID, *, with_temporary_password: bool) -> EventSpec:
    return event_spec(
        events.SubUserLoggedIn,
        sub_user_id=sub_user_id,
        session_id=SESSION,
        with_temporary_password=with_temporary_password,
    )


def login_refused(sub_user_id: UUID | None, why: str, failures: int) -> EventSpec:
    return event_spec(events.SubUserLoginRefused, sub_user_id=sub_user_id, why=why, failures=failures)


def locked_out(sub_user_id: UUID, *, failures: int = 100) -> EventSpec:
    return event_spec(events.SubUserLockedOut, sub_user_id=sub_user_id, failures=failures)


def unlocked(sub_user_id: UUID) -> EventSpec:
    return event_spec(events.SubUserUnlocked, sub_user_id=sub_user_id)


def deleted(sub_user_id: UUID) -> EventSpec:
    return event_spec(events.SubUserDeleted, sub_user_id=sub_user_id)


OWNER_ERASED = event_spec(events.PersonalDataErased, sub_user_id=None)


def erased(sub_user_id: UUID) -> EventSpec:
    return event_spec(events.PersonalDataErased, sub_user_id=sub_user_id)


def expiry_set(sub_user_id: UUID, access_expires_at: datetime | None) -> EventSpec:
    return event_spec(events.SubUserAccessExpirySet, sub_user_id=sub_user_id, access_expires_at=access_expires_at)
