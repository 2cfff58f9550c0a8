"""Flash messages: a message about the last command, shown once on the next page, kept in a signed cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request
from itsdangerous import BadData, URLSafeTimedSerializer

from api.console.cookies import FLASH, delete_cookie, set_cookie
from api.http.authentication import service

if TYPE_CHECKING:
    from collections.abc import Mapping


def flash_message(key: str, values: Mapping[str, Any] | None = None, *, is_done: bool = True) -> None:
    """Show the text `key` on the next page, with these JSON values in its placeholders.

    `is_done` tells whether the last command was executed.
    """
    set_cookie(FLASH, _signer().dumps([key, values or {}, is_done]))


def pop_message() -> tuple[str, dict[str, Any], bool] | None:
    """Return the key and the values of the pending message and whether a command was executed, and delete it."""
    signed_message = request.cookies.get(FLASH.name)
    if not signed_message:
        return None
    delete_cookie(FLASH)
    try:
        key, values, is_done = _signer().loads(signed_message, max_age=FLASH.max_age_seconds)
    except (BadData, ValueError):  # altered, or of another release
        return None
    return key, values, is_done


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(service().keyed_hasher.hash("console notice"))
