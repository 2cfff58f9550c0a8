"""CSRF protection: every form carries a token bound to the browser and its session."""

from __future__ import annotations

import hmac
import secrets
from http import HTTPStatus

from flask import g, request

from api.console.cookies import CSRF, set_cookie
from api.http.authentication import service
from api.http.problems import Problem

FIELD = "csrf"
COOKIE_BYTES = 16


def csrf_token() -> str:
    """Return the token for forms on the current page, and set the CSRF cookie if there is none."""
    if "csrf_cookie" not in g:
        g.csrf_cookie = request.cookies.get(CSRF.name)
        if not g.csrf_cookie:
            g.csrf_cookie = secrets.token_urlsafe(COOKIE_BYTES)
            set_cookie(CSRF, g.csrf_cookie)
    return _token(g.csrf_cookie)


def require_csrf_token() -> None:
    """Raise `Problem` unless the form comes from a console page that was opened in the current session."""
    cookie = request.cookies.get(CSRF.name)
    submitted = request.form.get(FIELD, "")
    is_cross_site = request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
    if is_cross_site or not cookie or not _tokens_match(submitted, _token(cookie)):
        raise Problem(HTTPStatus.FORBIDDEN, "form-expired", "The form is not from this session.")


def _token(cookie: str) -> str:
    session_token = g.visitor.token or ""
    return service().keyed_hasher.hash("console form", cookie, session_token).hex()


def _tokens_match(submitted: str, expected: str) -> bool:
    return hmac.compare_digest(submitted.encode("utf-8", "surrogatepass"), expected.encode())
