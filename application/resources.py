"""What the outside is shown, with personal data in the clear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from application.ports import PersonKey, Session
    from domain.main_account import MainAccount
    from domain.sub_user import SubUser

ERASED = "[erased]"
"""Stands for what was encrypted under a key that has been deleted."""


@dataclass(frozen=True)
class AccountDetails:
    """A main account."""

    account_id: UUID
    email: str
    company_name: str
    language: str
    sub_user_limit: int
    sub_user_count: int
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class SubUserDetails:
    """A sub-user."""

    sub_user_id: UUID
    account_id: UUID
    email: str
    name: str
    surname: str
    status: str
    visible: bool
    created_at: datetime
    last_login_at: datetime | None
    access_expires_at: datetime | None
    must_change_password: bool
    credentials_mail: str
    locked: bool
    revision: int


@dataclass(frozen=True)
class SessionDetails:
    """A session, without its token."""

    session_id: UUID
    opened_at: datetime
    last_used_at: datetime
    expires_at: datetime
    restricted: bool
    ip: str | None
    user_agent: str | None


def account_details(account: MainAccount, key: PersonKey) -> AccountDetails:
    """Return the account as it is now, opened with its owner's key."""
    return AccountDetails(
        account_id=account.id,
        email=key.open("email", account.email),
        company_name=key.open("company_name", account.company_name),
        language=account.language,
        sub_user_limit=account.sub_user_limit,
        sub_user_count=len(account.sub_users),
        created_at=account.created_on,
        closed_at=account.closed_at,
    )


def sub_user_details(account_id: UUID, sub_user: SubUser, key: PersonKey) -> SubUserDetails:
    """Return the sub-user as they are now, opened with their key."""
    return SubUserDetails(
        sub_user_id=sub_user.sub_user_id,
        account_id=account_id,
        email=key.open("email", sub_user.email),
        name=key.open("name", sub_user.name),
        surname=key.open("surname", sub_user.surname),
        status="active" if sub_user.active else "inactive",
        visible=sub_user.visible,
        created_at=sub_user.created_at,
        last_login_at=sub_user.last_login_at,
        access_expires_at=sub_user.access_expires_at,
        must_change_password=sub_user.must_change_password,
        credentials_mail=sub_user.credentials_mail,
        locked=sub_user.locked,
        revision=sub_user.revision,
    )


def session_details(session: Session, key: PersonKey) -> SessionDetails:
    """Return the session as it is now, opened with its owner's key."""
    return SessionDetails(
        session_id=session.session_id,
        opened_at=session.opened_at,
        last_used_at=session.last_used_at,
        expires_at=session.expires_at,
        restricted=session.restricted,
        ip=key.open("ip", session.ip) if session.ip is not None else None,
        user_agent=key.open("user_agent", session.user_agent) if session.user_agent is not None else None,
    )
