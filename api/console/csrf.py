"""CSRF protection: every form carries a token bound to the browser and its session."""

from __future__ import annotations

import hmac
import secrets
from http import HTTPStatus

from flask import g, request

from api.console.cookies import FORM, set_cookie
from api.http.authentication import service
from api.http.problems import Problem

FIELD = "csrf"
COOKIE_BYTES = 16


def form_token() -> str:
    """Return the token for forms on the current page, and set the form cookie if there is none."""
    if "form_cookie" not in g:
        g.form_cookie = request.cookies.get(FORM.name)
        if not g.form_cookie:
            g.form_cookie = secrets.token_urlsafe(COOKIE_BYTES)
            set_cookie(FORM, g.form_cookie)
    return _token(g.form_cookie)


def require_form_token() -> None:
    """Raise `Problem` unless the form comes from a console page opened in the current session."""
    cookie = request.cookies.get(FORM.name)
    submitted = request.form.get(FIELD, "")
    is_cross_site = request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
    if is_cross_site or not cookie or not _same(submitted, _token(cookie)):
        raise Problem(HTTPStatus.FORBIDDEN, "form-expired", "The form is not from this session.")


def _token(cookie: str) -> str:
    session_token = g.visitor.token or ""
    return service().keyed_hasher.hash("console form", cookie, session_token).hex()


def _same(submitted: str, expected: str) -> bool:
    return hmac.compare_digest(submitted.encode("utf-8", "surrogatepass"), expected.encode())
