"""CSRF protection: every form carries a token bound to the browser and its session."""

from __future__ import annotations

import hmac
import secrets
from http import HTTPStatus
from typing import cast

from flask import g, request

from api.console.cookies import CSRF, set_cookie
from api.http.authentication import service
from api.http.problems import Problem

FIELD = "csrf"
COOKIE_BYTES = 16
TOKEN_BYTES = 32


def csrf_token() -> str:
    """Return the token for forms on the current page, and set the CSRF cookie if there is none.

    It is masked with random bytes, so that the length of compressed pages tells nothing about it (BREACH).
    """
    if "csrf_cookie" not in g:
        g.csrf_cookie = request.cookies.get(CSRF.name)
        if not g.csrf_cookie:
            g.csrf_cookie = secrets.token_urlsafe(COOKIE_BYTES)
            set_cookie(CSRF, g.csrf_cookie)
    if "masked_csrf_token" not in g:
        mask = secrets.token_bytes(TOKEN_BYTES)
        g.masked_csrf_token = (mask + _xor(mask, _token(g.csrf_cookie))).hex()
    return cast("str", g.masked_csrf_token)


def require_csrf_token() -> None:
    """Raise `Problem` unless the form comes from a console page that was opened in the current session."""
    cookie = request.cookies.get(CSRF.name)
    submitted = request.form.get(FIELD, "")
    is_cross_site = request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
    if is_cross_site or not cookie or not _tokens_match(submitted, _token(cookie)):
        raise Problem(HTTPStatus.FORBIDDEN, "form-expired", "The form is not from this session.")


def _token(cookie: str) -> bytes:
    session_token = g.visitor.token or ""
    return service().keyed_hasher.hash("console form", cookie, session_token)


def _tokens_match(submitted: str, expected: bytes) -> bool:
    try:
        masked = bytes.fromhex(submitted)
    except ValueError:
        return False
    return len(masked) == 2 * TOKEN_BYTES and hmac.compare_digest(
        _xor(masked[:TOKEN_BYTES], masked[TOKEN_BYTES:]), expected
    )


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=True))
