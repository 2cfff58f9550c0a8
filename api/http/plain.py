"""What is answered most, as JSON has it: the same as its schema would make of it, in a tenth of the time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from domain.permissions import Permission

if TYPE_CHECKING:
    from application.ports import Session
    from application.resources import SubUserDetails
    from application.sessions import OpenedSession
    from projections.sub_user_queries import Page

LONGEST_TOKEN = 1000
LONGEST_NAME = 100
LONGEST_PASSWORD = 1000
NAMES = frozenset({"name", "surname"})
FLAGS = frozenset({"active", "visible"})
TRIED = frozenset({"account_email", "email", "password"})
PLAIN_EMAIL = re.compile(r"[a-z0-9._+-]{1,64}@[a-z0-9.-]{1,255}", re.ASCII)
INTROSPECTED = frozenset({"token", "permission"})
PERMISSIONS: tuple[object, ...] = tuple(Permission)
"""Compared one by one: what is asked about may be anything, and not everything can be looked up in a set."""


NO_SESSION, NOTHING_ALLOWED = b'{"active":false}', b'{"active":false,"allowed":false}'
"""What is told of a session that is not good, without and with a question about a permission."""


def sub_user(one: SubUserDetails) -> bytes:
    """Return a sub-user as `SubUserAnswer` has them."""
    return _written(_told(one))


def sub_users(page: Page) -> bytes:
    """Return a page of sub-users as `SubUserListAnswer` has it."""
    return _written({"items": [_told(one) for one in page.items], "next_cursor": page.next_cursor})


def _told(one: SubUserDetails) -> dict[str, Any]:
    return {
        "sub_user_id": one.sub_user_id,
        "account_id": one.account_id,
        "email": one.email,
        "name": one.name,
        "surname": one.surname,
        "status": one.status,
        "visible": one.visible,
        "created_at": one.created_at,
        "last_login_at": one.last_login_at,
        "access_expires_at": one.access_expires_at,
        "must_change_password": one.must_change_password,
        "credentials_mail": one.credentials_mail,
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


def login(body: object) -> dict[str, Any] | None:
    """Return a body as `Login` has it, None if that takes a closer look."""
    if type(body) is not dict or body.keys() != TRIED:
        return None
    account_email, email, password = body["account_email"], body["email"], body["password"]
    if not (_is_plain_email(account_email) and _is_plain_email(email)):
        return None
    if not (isinstance(password, str) and 1 <= len(password) <= LONGEST_PASSWORD and _is_plain_text(password)):
        return None
    return body


def _is_plain_email(text: object) -> bool:
    """Say whether an address, or what is tried for one, has no other form that it is to be brought into."""
    return isinstance(text, str) and PLAIN_EMAIL.fullmatch(text) is not None


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


def session(one: Session, permissions: tuple[Permission, ...], asked: str | None) -> bytes:
    """Return a good session as `IntrospectionAnswer` has it, and whether it allows what was asked about."""
    found: dict[str, Any] = {
        "active": True,
        "account_id": one.account_id,
        "sub_user_id": one.person_id,
        "permissions": permissions,
        "must_change_password": one.restricted,
        "expires_at": one.expires_at,
    }
    if asked is not None:
        found["allowed"] = asked in permissions
    return _written(found)


def opened_session(one: OpenedSession) -> bytes:
    """Return a new session as `OpenedSessionAnswer` has it."""
    return _written(
        {
            "token": one.token,
            "expires_at": one.expires_at,
            "account_id": one.account_id,
            "sub_user_id": one.sub_user_id,
            "must_change_password": one.must_change_password,
            "permissions": one.permissions,
        }
    )


def _written(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)
