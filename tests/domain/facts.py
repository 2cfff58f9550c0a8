"""The people and the facts that domain tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain import events
from domain.cause import Sealed
from domain.main_account import MainAccount
from domain.sub_user import Notice
from tests.domain.given_when_then import ACCOUNT, BY_OWNER, NOW, fact

if TYPE_CHECKING:
    from datetime import datetime

    from tests.domain.given_when_then import Fact

MARIA = UUID("5b000000-0000-4000-8000-000000000001")
LUCA = UUID("5b000000-0000-4000-8000-000000000002")
NOBODY = UUID("5b000000-0000-4000-8000-00000000dead")
SESSION = UUID("5e000000-0000-4000-8000-000000000001")

REGISTERED = fact(
    events.MainAccountRegistered,
    originator_topic="MainAccount",
    email=Sealed("owner's e-mail"),
    email_hash="hash of owner's e-mail",
    company_name=Sealed("Acme"),
    language="en",
    sub_user_limit=10,
)
CLOSED = fact(events.MainAccountClosed)


def registered() -> MainAccount:
    """Return an account that has just recorded `REGISTERED`, now."""
    return MainAccount.register(
        ACCOUNT,
        email=Sealed("owner's e-mail"),
        email_hash="hash of owner's e-mail",
        company_name=Sealed("Acme"),
        language="en",
        at=NOW,
        cause=BY_OWNER,
    )


def person(sub_user_id: UUID) -> dict[str, Any]:
    """Return what a sub-user is created with: an e-mail of their own, and a name."""
    return {
        "sub_user_id": sub_user_id,
        "email": Sealed(f"e-mail of {sub_user_id}"),
        "email_hash": f"hash of e-mail of {sub_user_id}",
        "name": Sealed(f"name of {sub_user_id}"),
        "surname": Sealed(f"surname of {sub_user_id}"),
    }


def created(sub_user_id: UUID, **otherwise: Any) -> Fact:
    usual = {**person(sub_user_id), "visible": True, "access_expires_at": None}
    return fact(events.SubUserCreated, **{**usual, **otherwise})


def activated(sub_user_id: UUID, *, credentials: int = 1, notice: Notice = Notice.ACTIVATION) -> Fact:
    return fact(events.SubUserActivated, sub_user_id=sub_user_id, credentials=credentials, notice=notice)


def deactivated(sub_user_id: UUID) -> Fact:
    return fact(events.SubUserDeactivated, sub_user_id=sub_user_id)


def password_reset(sub_user_id: UUID, *, credentials: int, notice: Notice) -> Fact:
    return fact(events.SubUserPasswordReset, sub_user_id=sub_user_id, credentials=credentials, notice=notice)


def password_changed(sub_user_id: UUID, *, credentials: int) -> Fact:
    return fact(events.SubUserPasswordChanged, sub_user_id=sub_user_id, credentials=credentials)


def logged_in(sub_user_id: UUID, *, with_temporary_password: bool) -> Fact:
    return fact(
        events.SubUserLoggedIn,
        sub_user_id=sub_user_id,
        session_id=SESSION,
        with_temporary_password=with_temporary_password,
    )


def login_refused(sub_user_id: UUID | None, why: str, failures: int) -> Fact:
    return fact(events.SubUserLoginRefused, sub_user_id=sub_user_id, why=why, failures=failures)


def locked_out(sub_user_id: UUID, *, failures: int = 100) -> Fact:
    return fact(events.SubUserLockedOut, sub_user_id=sub_user_id, failures=failures)


def unlocked(sub_user_id: UUID) -> Fact:
    return fact(events.SubUserUnlocked, sub_user_id=sub_user_id)


def deleted(sub_user_id: UUID) -> Fact:
    return fact(events.SubUserDeleted, sub_user_id=sub_user_id)


OWNER_ERASED = fact(events.PersonalDataErased, sub_user_id=None)


def erased(sub_user_id: UUID) -> Fact:
    return fact(events.PersonalDataErased, sub_user_id=sub_user_id)


def expiry_set(sub_user_id: UUID, access_expires_at: datetime | None) -> Fact:
    return fact(events.SubUserAccessExpirySet, sub_user_id=sub_user_id, access_expires_at=access_expires_at)
