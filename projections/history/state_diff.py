"""Fields that an event changed in the state of its subject."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from application.commands.resources import ERASED, PERSONAL_FIELDS
from domain.sub_user import SubUser
from projections.history.account_state import decrypt_field, status_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from application.ports.vault import VaultEntry
    from domain.main_account import MainAccount

ENCRYPTED_FIELDS = frozenset({*PERSONAL_FIELDS, "company_name", "external_id"})

INTERNAL_FIELDS = frozenset(
    {"sub_user_id", "created_at", "active", "last_login_at", "email_hash", "was_activated", "password_issued_at"}
    | {"credentials_version", "mail_version", "revision"}
)
"""Fields of a sub-user that never change, that change with each login or event, or that `status` shows."""

COMPARED_FIELDS = tuple(
    field.name for field in fields(SubUser) if field.name not in INTERNAL_FIELDS and field.name not in PERSONAL_FIELDS
)


@dataclass(frozen=True)
class Change:
    """Old and new value of a field. None means no value."""

    before: Any
    after: Any


def subject_fields(account: MainAccount | None, subject_id: UUID | None, as_of: datetime) -> Mapping[str, Any]:
    """Return the fields of the sub-user that an event is about, or of the account if there is none, at a moment."""
    if account is None:
        return {}
    return _account_fields(account) if subject_id is None else _sub_user_fields(account, subject_id, as_of)


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any], entry: VaultEntry | None) -> dict[str, Change]:
    """Return the fields that differ, decrypted with the data key of the event's subject.

    A change of an erased field is reported without its values.
    """
    differences = {}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name in ENCRYPTED_FIELDS:
            old, new = (ciphertext and decrypt_field(entry, name, ciphertext) for ciphertext in (old, new))
        if old != new or old == ERASED:
            differences[name] = Change(old, new)
    return differences


def _account_fields(account: MainAccount) -> Mapping[str, Any]:
    plan = account.plan
    return {
        "email": account.owner_email.current,
        "company_name": account.company_name,
        "external_id": account.external_id,
        "language": account.language,
        "status": status_of(account),
        "sub_user_limit": account.sub_user_limit,
        "included_minutes": plan.included_minutes if plan is not None else None,
        "included_tokens": plan.included_tokens if plan is not None else None,
        "period_start": plan.period_start if plan is not None else None,
        "second_factor_policy": account.second_factor_policy,
    }


def _sub_user_fields(account: MainAccount, sub_user_id: UUID, as_of: datetime) -> Mapping[str, Any]:
    sub_user = account.sub_users.get(sub_user_id)
    if sub_user is None:
        return {}
    return {
        **{name: getattr(sub_user, name) for name in PERSONAL_FIELDS},
        "status": "active" if sub_user.active else "inactive",
        "has_access": account.login_refusal(sub_user, as_of) is None,
        **{name: getattr(sub_user, name) for name in COMPARED_FIELDS},
    }
