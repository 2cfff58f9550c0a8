"""Flash messages: a message about the last command, shown once on the next page, kept in a signed cookie."""

from __future__ import annotations

from typing import Any

from flask import request
from itsdangerous import BadData, URLSafeTimedSerializer

from api.console.cookies import FLASH, delete_cookie, set_cookie
from api.http.authentication import service


def flash_message(key: str, **values: Any) -> None:
    """Show the text `key` on the next page, with these JSON values in its placeholders."""
    set_cookie(FLASH, _signer().dumps([key, values]))


def pop_message() -> tuple[str, dict[str, Any]] | None:
    """Return the key and the values of the pending message, if any, and delete it."""
    signed_message = request.cookies.get(FLASH.name)
    if not signed_message:
        return None
    delete_cookie(FLASH)
    try:
        key, values = _signer().loads(signed_message, max_age=FLASH.max_age_seconds)
    except BadData:
        return None
    return key, values


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(service().keyed_hasher.hash("console notice"))
