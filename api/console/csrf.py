"""Forms that only our own pages can send: each carries a token that is bound to the browser and to its session."""

from __future__ import annotations

import hmac
import secrets
from http import HTTPStatus

from flask import g, request

from api.console.cookies import FORM, set_cookie
from api.http.doors import service
from api.http.problems import Problem

FIELD = "csrf"
COOKIE_BYTES = 16


def form_token() -> str:
    """Return what a form on the page that is being made has to carry."""
    if "form_cookie" not in g:
        g.form_cookie = request.cookies.get(FORM.name)
        if not g.form_cookie:
            g.form_cookie = secrets.token_urlsafe(COOKIE_BYTES)
            set_cookie(FORM, g.form_cookie)
    return _token(g.form_cookie)


def require_form_token() -> None:
    """Refuse a form that did not come from a page of ours, or from before this session."""
    cookie = request.cookies.get(FORM.name)
    given = request.form.get(FIELD, "")
    from_elsewhere = request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
    if from_elsewhere or not cookie or not _same(given, _token(cookie)):
        raise Problem(HTTPStatus.FORBIDDEN, "form-expired", "The form is not from this session.")


def _token(cookie: str) -> str:
    session_token = g.visitor.token or ""
    return service().fingerprints.of("console form", cookie, session_token).hex()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())
