"""Results of commands and queries, with decrypted personal data."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from domain.sub_user import EXPIRING_PERIOD, AccessFacts, SubUser, has_passed

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from application.ports.sessions import Session
    from application.ports.sign_in.client_details import ClientDescriber, ClientDetails
    from application.ports.vault import PersonKey
    from domain.assurance_level import AssuranceLevel
    from domain.event_metadata import Ciphertext
    from domain.main_account import MainAccount
    from domain.sub_user import AccessStatus

ERASED = "[erased]"
"""Placeholder for text whose key has been deleted."""


@dataclass(frozen=True)
class AccountDetails:
    """Details of a main account."""

    account_id: UUID
    email: str
    company_name: str
    language: str
    sub_user_limit: int
    sub_user_count: int
    created_at: datetime
    closed_at: datetime | None
    external_id: str | None
    sub_user_password_reset: bool
    second_factor_policy: str
    pending_email: str | None
    pending_email_expires_at: datetime | None


@dataclass(frozen=True)
class SubUserDetails:
    """Details of a sub-user. Fields that `SubUser` has too are copied from it, and decrypted if they are personal."""

    sub_user_id: UUID
    account_id: UUID
    email: str = field(repr=False)
    name: str = field(repr=False)
    surname: str = field(repr=False)
    status: str
    visible: bool
    created_at: datetime
    last_login_at: datetime | None
    access_expires_at: datetime | None
    must_change_password: bool
    temporary_password_expires_at: datetime | None
    credentials_kind: str
    credentials_mail: str
    locked: bool
    revision: int
    has_second_factor: bool

    def access_status(self, as_of: datetime) -> AccessStatus:
        """Return the access status at a time."""
        return AccessFacts(
            active=self.status == "active",
            has_expired=has_passed(self.access_expires_at, as_of),
            locked=self.locked,
            has_logged_in=self.last_login_at is not None,
            expires_soon=has_passed(self.access_expires_at, as_of + EXPIRING_PERIOD),
        ).status


PERSONAL_FIELDS = ("email", "name", "surname")
COPIED_FIELDS = frozenset(
    {field.name for field in fields(SubUser)} & {field.name for field in fields(SubUserDetails)} - {*PERSONAL_FIELDS}
)


@dataclass(frozen=True)
class SessionDetails:
    """Details of a session, without its token."""

    session_id: UUID
    opened_at: datetime
    last_used_at: datetime
    expires_at: datetime
    assurance: AssuranceLevel
    ip: str | None
    user_agent: str | None
    client: ClientDetails
    is_current: bool

    @property
    def must_change_password(self) -> bool:
        """Whether the session can only replace the temporary password."""
        return self.assurance.is_restricted


@dataclass(frozen=True)
class RecordedReports:
    """Events that were recorded from a portal's reports of activities or usage."""

    event_ids: list[UUID]

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self.event_ids)


def account_details(account: MainAccount, key: PersonKey) -> AccountDetails:
    """Return the current details of an account, decrypted with its owner's key."""
    pending = account.owner_email.pending
    return AccountDetails(
        account_id=account.id,
        email=key.decrypt("email", account.owner_email.current),
        company_name=key.decrypt("company_name", account.company_name),
        language=account.language,
        sub_user_limit=account.sub_user_limit,
        sub_user_count=len(account.sub_users),
        created_at=account.created_on,
        closed_at=account.closed_at,
        external_id=key.decrypt("external_id", account.external_id) if account.external_id is not None else None,
        sub_user_password_reset=account.sub_user_password_reset,
        second_factor_policy=account.second_factor_policy,
        pending_email=key.decrypt("email", pending.email) if pending is not None else None,
        pending_email_expires_at=pending.expires_at if pending is not None else None,
    )


def sub_user_details(account_id: UUID, sub_user: SubUser, key: PersonKey | None) -> SubUserDetails:
    """Return the current details of a sub-user, decrypted with their key. Without a key, their data was erased."""
    return SubUserDetails(
        account_id=account_id,
        status="active" if sub_user.active else "inactive",
        temporary_password_expires_at=sub_user.temporary_password_expires_at,
        email=_decrypt(key, "email", sub_user.email),
        name=_decrypt(key, "name", sub_user.name),
        surname=_decrypt(key, "surname", sub_user.surname),
        **{name: getattr(sub_user, name) for name in COPIED_FIELDS},
    )


def _decrypt(key: PersonKey | None, name: str, ciphertext: Ciphertext) -> str:
    return ERASED if key is None else key.decrypt(name, ciphertext)


def session_details(
    session: Session, key: PersonKey, clients: ClientDescriber, current_id: UUID | None = None
) -> SessionDetails:
    """Return the details of a session, decrypted with its person's key. `current_id` is the reader's session."""
    ip = key.decrypt("ip", session.ip) if session.ip is not None else None
    user_agent = key.decrypt("user_agent", session.user_agent) if session.user_agent is not None else None
    return SessionDetails(
        session_id=session.session_id,
        opened_at=session.opened_at,
        last_used_at=session.last_used_at,
        expires_at=session.expires_at,
        assurance=session.assurance,
        ip=ip,
        user_agent=user_agent,
        client=clients.describe(ip, user_agent),
        is_current=session.session_id == current_id,
    )
