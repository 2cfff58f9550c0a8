"""What an account amounts to at a moment: who belonged to it, and who of them had access."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.resources import ERASED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from application.ports import VaultEntry
    from domain.cause import Sealed
    from domain.main_account import MainAccount
    from domain.sub_user import SubUser


@dataclass(frozen=True)
class SubUserState:
    """A sub-user at a moment. Whoever has access may log in then: `why_no_access` tells why somebody may not."""

    sub_user_id: UUID
    email: str = field(repr=False)
    name: str = field(repr=False)
    surname: str = field(repr=False)
    has_access: bool
    why_no_access: str | None
    status: str
    locked: bool
    expired: bool
    visible: bool
    must_change_password: bool
    access_expires_at: datetime | None
    last_login_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class AccountState:
    """An account at a moment: after `version` events of its own. Whoever had been deleted by then is not in it."""

    account_id: UUID
    as_of: datetime
    version: int
    email: str = field(repr=False)
    company_name: str = field(repr=False)
    language: str
    status: str
    created_at: datetime
    closed_at: datetime | None
    sub_user_limit: int
    included_minutes: int | None
    included_tokens: int | None
    period_start: date | None
    with_access: int
    sub_users: Sequence[SubUserState]


def account_state(
    account: MainAccount, at: datetime, entries: Mapping[UUID, VaultEntry], sub_user_id: UUID | None = None
) -> AccountState:
    """Return what an account is at a moment, with those of its sub-users who are asked for, oldest first.

    What time alone changes is reckoned to that moment: that access has ended by its date.
    """
    of_owner = entries.get(account.id)
    people = sorted(account.sub_users.values(), key=lambda one: (one.created_at, one.sub_user_id))
    states = [_sub_user_state(account, one, at, entries.get(one.sub_user_id)) for one in people]
    plan = account.plan
    return AccountState(
        account_id=account.id,
        as_of=at,
        version=account.version,
        email=opened(of_owner, "email", account.email),
        company_name=opened(of_owner, "company_name", account.company_name),
        language=account.language,
        status=status_of(account),
        created_at=account.created_on,
        closed_at=account.closed_at,
        sub_user_limit=account.sub_user_limit,
        included_minutes=plan.included_minutes if plan is not None else None,
        included_tokens=plan.included_tokens if plan is not None else None,
        period_start=plan.period_start if plan is not None else None,
        with_access=sum(one.has_access for one in states),
        sub_users=[one for one in states if sub_user_id in {None, one.sub_user_id}],
    )


def status_of(account: MainAccount) -> str:
    """Return whether an account is open."""
    return "open" if account.closed_at is None else "closed"


def opened(entry: VaultEntry | None, name: str, sealed: Sealed) -> str:
    """Return what a sealed field says, as far as there is still a key."""
    return ERASED if entry is None else entry.key.open(name, sealed)


def _sub_user_state(account: MainAccount, one: SubUser, at: datetime, entry: VaultEntry | None) -> SubUserState:
    why = account.why_no_access(one, at)
    return SubUserState(
        sub_user_id=one.sub_user_id,
        email=opened(entry, "email", one.email),
        name=opened(entry, "name", one.name),
        surname=opened(entry, "surname", one.surname),
        has_access=why is None,
        why_no_access=why,
        status="active" if one.active else "inactive",
        locked=one.locked,
        expired=one.has_expired(at),
        visible=one.visible,
        must_change_password=one.must_change_password,
        access_expires_at=one.access_expires_at,
        last_login_at=one.last_login_at,
        created_at=one.created_at,
    )
