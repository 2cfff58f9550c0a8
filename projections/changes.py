"""What an event changed: how things were before it, and how they were after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from application.resources import ERASED
from projections.account_states import opened, status_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from application.ports import VaultEntry
    from domain.main_account import MainAccount

SEALED = frozenset({"email", "company_name", "name", "surname"})


@dataclass(frozen=True)
class Change:
    """One thing that became another; None where there was none, or is none any more."""

    before: Any
    after: Any


def seen(account: MainAccount | None, subject_id: UUID | None, at: datetime) -> Mapping[str, Any]:
    """Return how things are at a moment with the sub-user whom an event is about, or else with the account itself."""
    if account is None:
        return {}
    return _of_account(account) if subject_id is None else _of_sub_user(account, subject_id, at)


def changes(before: Mapping[str, Any], after: Mapping[str, Any], entry: VaultEntry | None) -> dict[str, Change]:
    """Return what differs, opened with the key of whom it is about. That it was erased hides what, not that it was."""
    found = {}
    for name in {**before, **after}:
        was, became = before.get(name), after.get(name)
        if was == became:
            continue
        if name in SEALED:
            was, became = (value and opened(entry, name, value) for value in (was, became))
        if was != became or was == ERASED:
            found[name] = Change(was, became)
    return found


def _of_account(account: MainAccount) -> Mapping[str, Any]:
    plan = account.plan
    return {
        "email": account.email,
        "company_name": account.company_name,
        "language": account.language,
        "status": status_of(account),
        "sub_user_limit": account.sub_user_limit,
        "included_minutes": plan.included_minutes if plan is not None else None,
        "included_tokens": plan.included_tokens if plan is not None else None,
        "period_start": plan.period_start if plan is not None else None,
    }


def _of_sub_user(account: MainAccount, sub_user_id: UUID, at: datetime) -> Mapping[str, Any]:
    one = account.sub_users.get(sub_user_id)
    if one is None:
        return {}
    return {
        "email": one.email,
        "name": one.name,
        "surname": one.surname,
        "status": "active" if one.active else "inactive",
        "has_access": account.why_no_access(one, at) is None,
        "visible": one.visible,
        "access_expires_at": one.access_expires_at,
        "must_change_password": one.must_change_password,
        "locked": one.locked,
        "credentials_mail": str(one.credentials_mail),
    }
