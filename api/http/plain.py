"""What is answered most, as JSON has it: the same as its schema would make of it, in a tenth of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.http.fields import written
from domain.permissions import Permission

if TYPE_CHECKING:
    from datetime import datetime

    from application.ports import Session
    from application.resources import SubUserDetails

LONGEST_TOKEN = 1000
LONGEST_NAME = 100
NAMES = frozenset({"name", "surname"})
FLAGS = frozenset({"active", "visible"})
INTROSPECTED = frozenset({"token", "permission"})
PERMISSIONS: tuple[object, ...] = tuple(Permission)
"""Compared one by one: what is asked about may be anything, and not everything can be looked up in a set."""


def sub_user(one: SubUserDetails) -> dict[str, Any]:
    """Return a sub-user as `SubUserAnswer` has them."""
    return {
        "sub_user_id": str(one.sub_user_id),
        "account_id": str(one.account_id),
        "email": one.email,
        "name": one.name,
        "surname": one.surname,
        "status": one.status,
        "visible": one.visible,
        "created_at": written(one.created_at),
        "last_login_at": _written(one.last_login_at),
        "access_expires_at": _written(one.access_expires_at),
        "must_change_password": one.must_change_password,
        "credentials_mail": str(one.credentials_mail),
        "locked": one.locked,
    }


def introspection(body: object) -> dict[str, Any] | None:
    """Return a body as `Introspection` has it, None if that takes a closer look."""
    if type(body) is not dict or not body.keys() <= INTROSPECTED:
        return None
    token, permission = body.get("token"), body.get("permission")
    if not isinstance(token, str) or not 1 <= len(token) <= LONGEST_TOKEN:
        return None
    if permission not in PERMISSIONS and "permission" in body:
        return None
    return {"token": token, "permission": permission}


def sub_user_patch(body: object) -> dict[str, Any] | None:
    """Return a body as `SubUserPatch` has it, None if that takes a closer look."""
    if type(body) is not dict or not all(_is_plain(name, value) for name, value in body.items()):
        return None
    return dict(body)


def _is_plain(name: str, value: object) -> bool:
    if name in NAMES:
        return isinstance(value, str) and 1 <= len(value) <= LONGEST_NAME and _is_plain_text(value)
    return name in FLAGS and isinstance(value, bool)


def _is_plain_text(text: str) -> bool:
    """Say whether a text has nothing in it that would be refused, or changed."""
    return text.isascii() and text.isprintable() and text.strip() == text


def session(one: Session, permissions: tuple[Permission, ...], asked: str | None) -> dict[str, Any]:
    """Return a good session as `IntrospectionAnswer` has it, and whether it allows what was asked about."""
    found = {
        "active": True,
        "account_id": str(one.account_id),
        "sub_user_id": str(one.person_id),
        "permissions": permissions,
        "must_change_password": one.restricted,
        "expires_at": written(one.expires_at),
    }
    return found if asked is None else {**found, "allowed": asked in permissions}


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else written(moment)
