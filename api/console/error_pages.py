"""What visitors are shown where something is wrong: what it is, in plain words, and what they can do."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from flask import g, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from api.console.language import can_say
from api.console.pages import say, say_count, show, site, visitor_language
from api.console.visitors import NOBODY_KNOWN, recognize
from api.http.problems import answer_error, problem_of
from application.errors import ServiceError

if TYPE_CHECKING:
    from flask import Response
    from werkzeug.exceptions import HTTPException

    from api.http.problems import Problem

OF_MACHINES = ("/v1/", "/assets/", "/openapi.json", "/healthz", "/readyz", "/metrics", "/docs")
"""Paths below which no person looks for a page."""

LONGEST_IN_SECONDS = 100
"""A longer wait is told in minutes."""


@site.errorhandler(Exception)
def error_page(error: Exception) -> Response:
    """Return the page of an error, with its status. Nothing of the insides is on it."""
    problem = problem_of(error)
    g.setdefault("visitor", NOBODY_KNOWN)
    response = show(
        "error.html",
        problem.status,
        code=problem.status.value,
        title=_words("title", problem),
        explanation=_words("explanation", problem),
        wait=time_to_wait(problem),
    )
    response.headers.update(problem.headers)
    return response


def _words(part: str, problem: Problem) -> str:
    """Return the text for this problem, or else for its status."""
    language = visitor_language()
    key = f"errors.{problem.code}.{part}"
    return say(key if can_say(language, key) else f"errors.http-{problem.status.value}.{part}")


def time_to_wait(problem: Problem) -> str | None:
    """Return in how long to try again, None where waiting is no remedy."""
    seconds = int(problem.headers.get("Retry-After", 0))
    if seconds > LONGEST_IN_SECONDS:
        return say_count("errors.wait_minutes", math.ceil(seconds / 60))
    return say_count("errors.wait", seconds) if seconds else None


@site.app_errorhandler(NotFound)
@site.app_errorhandler(MethodNotAllowed)
def _no_such_page(error: HTTPException) -> Response:
    """Answer a person with a page, and a program as the HTTP interface does."""
    asked_by_person = request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
    if not asked_by_person or request.path.startswith(OF_MACHINES):
        return answer_error(error)
    if "visitor" not in g:  # an address of no page has no guard either, that would have told who comes
        with suppress(ServiceError):
            g.visitor = recognize()
    return error_page(error)
