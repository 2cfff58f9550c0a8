"""What the next page tells of the last command. It travels in a signed cookie, and is told once."""

from __future__ import annotations

from typing import Any

from flask import request
from itsdangerous import BadData, URLSafeTimedSerializer

from api.console.cookies import NOTICE, drop_cookie, set_cookie
from api.http.doors import service


def leave_notice(key: str, **values: Any) -> None:
    """Have the next page say this, by its key among the texts."""
    set_cookie(NOTICE, _signer().dumps([key, values]))


def take_notice() -> tuple[str, dict[str, Any]] | None:
    """Return what was left to be told, as a key and its values, and forget it."""
    text = request.cookies.get(NOTICE.name)
    if not text:
        return None
    drop_cookie(NOTICE)
    try:
        key, values = _signer().loads(text, max_age=NOTICE.seconds)
    except BadData:
        return None
    return key, values


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(service().fingerprints.of("console notice"))
