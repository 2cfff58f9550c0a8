"""Error pages: what went wrong, in plain words, and what the visitor can do."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from flask import g, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from api.console.current_user import ANONYMOUS, authenticate_visitor
from api.console.pages import blueprint, render_page, t, t_count, visitor_language
from api.http.problems import error_response, problem_of
from api.presentation.translations import has_text
from application.errors import ServiceError

if TYPE_CHECKING:
    from flask import Response
    from werkzeug.exceptions import HTTPException

    from api.http.problems import Problem

API_PATHS = ("/v1/", "/assets/", "/branding/", "/openapi.json", "/healthz", "/readyz", "/metrics", "/docs")
"""Path prefixes without pages. Errors below them are JSON problems."""

MAX_SHOWN_SECONDS = 100
"""Longer waits are given in minutes."""


@blueprint.errorhandler(Exception)
def error_page(error: Exception) -> Response:
    """Return the page for an error, with its HTTP status. It shows no internal details."""
    problem = problem_of(error)
    g.setdefault("visitor", ANONYMOUS)
    response = render_page(
        "error.html",
        problem.status,
        code=problem.status.value,
        title=_text("title", problem),
        explanation=_text("explanation", problem),
        wait=retry_sentence(problem),
    )
    response.headers.update(problem.headers)
    return response


def _text(part: str, problem: Problem) -> str:
    """Return the text for the problem's code, or for its status if the code has none."""
    language = visitor_language()
    key = f"errors.{problem.code}.{part}"
    return t(key if has_text(language, key) else f"errors.http-{problem.status.value}.{part}")


def retry_sentence(problem: Problem) -> str | None:
    """Return a sentence that says when to try again; None if the problem has no Retry-After header."""
    seconds = int(problem.headers.get("Retry-After", 0))
    if seconds > MAX_SHOWN_SECONDS:
        return t_count("errors.wait_minutes", math.ceil(seconds / 60))
    return t_count("errors.wait", seconds) if seconds else None


@blueprint.app_errorhandler(NotFound)
@blueprint.app_errorhandler(MethodNotAllowed)
def _no_such_page(error: HTTPException) -> Response:
    """Return a page to browsers, and a JSON problem to API clients."""
    wants_html = request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
    if not wants_html or request.path.startswith(API_PATHS):
        return error_response(error)
    if "visitor" not in g:  # no route matched, so the blueprint's access check has not run
        with suppress(ServiceError):
            g.visitor = authenticate_visitor()
    return error_page(error)
