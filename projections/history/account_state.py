"""State of an account at a point in time: its data, its sub-users, and which of them had access."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from application.commands.resources import ERASED, SubUserDetails, sub_user_details

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from application.ports.vault import VaultEntry
    from domain.event_metadata import Ciphertext
    from domain.main_account import MainAccount
    from domain.sub_user import SubUser


@dataclass(frozen=True)
class SubUserState(SubUserDetails):
    """State of a sub-user at a point in time.

    `has_access` is whether the sub-user could log in at that time, and `no_access_reason` the reason if not.
    """

    has_access: bool
    no_access_reason: str | None
    expired: bool


@dataclass(frozen=True)
class AccountState:
    """State of an account at a point in time, after `version` events of its own stream.

    Sub-users that had been deleted by then are not included.
    """

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
    external_id: str | None
    second_factor_policy: str
    with_access: int
    sub_users: Sequence[SubUserState]


def account_state(
    account: MainAccount, as_of: datetime, entries: Mapping[UUID, VaultEntry], sub_user_id: UUID | None = None
) -> AccountState:
    """Return the state of an account at a moment, with its sub-users (or only the given one), oldest first.

    Expiry is computed for that moment: access may end without an event.
    """
    owner_entry = entries.get(account.id)
    sub_users = sorted(account.sub_users.values(), key=lambda sub_user: (sub_user.created_at, sub_user.sub_user_id))
    states = [
        _sub_user_state(account, sub_user, as_of, entries.get(sub_user.sub_user_id))
        for sub_user in sub_users
        if sub_user_id in {None, sub_user.sub_user_id}
    ]
    plan = account.plan
    return AccountState(
        account_id=account.id,
        as_of=as_of,
        version=account.version,
        email=decrypt_field(owner_entry, "email", account.owner_email.current),
        company_name=decrypt_field(owner_entry, "company_name", account.company_name),
        language=account.language,
        status=status_of(account),
        created_at=account.created_on,
        closed_at=account.closed_at,
        sub_user_limit=account.sub_user_limit,
        included_minutes=plan.included_minutes if plan is not None else None,
        included_tokens=plan.included_tokens if plan is not None else None,
        period_start=plan.period_start if plan is not None else None,
        external_id=(
            decrypt_field(owner_entry, "external_id", account.external_id) if account.external_id is not None else None
        ),
        second_factor_policy=account.second_factor_policy,
        with_access=sum(state.has_access for state in states),
        sub_users=states,
    )


def status_of(account: MainAccount) -> str:
    """Return "open" or "closed"."""
    return "open" if account.closed_at is None else "closed"


def decrypt_field(entry: VaultEntry | None, name: str, ciphertext: Ciphertext) -> str:
    """Return the plaintext of an encrypted field, or `ERASED` if the data key was erased."""
    return ERASED if entry is None else entry.key.decrypt(name, ciphertext)


def _sub_user_state(account: MainAccount, sub_user: SubUser, as_of: datetime, entry: VaultEntry | None) -> SubUserState:
    refusal = account.login_refusal(sub_user, as_of)
    return SubUserState(
        **vars(sub_user_details(account.id, sub_user, entry.key if entry is not None else None)),
        has_access=refusal is None,
        no_access_reason=refusal,
        expired=sub_user.has_expired(as_of),
    )
