"""Flash messages: a message about the last command, shown once on the next page, kept in a signed cookie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import request
from itsdangerous import BadData, URLSafeTimedSerializer

from api.console.cookies import FLASH, delete_cookie, set_cookie
from api.http.authentication import service

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Message:
    """A message about the last command: the name of its text, and JSON values for its placeholders.

    `is_done` if the command was executed. `next_url` is a page for what may come next, whose text is the
    message's with the suffix `_next`.
    """

    text_name: str
    values: Mapping[str, Any]
    is_done: bool = True
    next_url: str | None = field(default=None, repr=False)


def flash_message(
    key: str, values: Mapping[str, Any] | None = None, *, is_done: bool = True, next_url: str | None = None
) -> None:
    """Show a message on the next page."""
    set_cookie(FLASH, _signer().dumps([key, values or {}, is_done, next_url]))


def pop_message() -> Message | None:
    """Return the pending message, if any, and delete it."""
    signed_message = request.cookies.get(FLASH.name)
    if not signed_message:
        return None
    delete_cookie(FLASH)
    try:
        return Message(*_signer().loads(signed_message, max_age=FLASH.max_age_seconds))
    except (BadData, TypeError):  # altered, or of another release
        return None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(service().keyed_hasher.hash("console notice"))
