"""The wait before a visitor can send a form again, for the notice on the form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.console.error_pages import retry_sentence
from api.console.pages import t
from api.http.problems import problem_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http import HTTPStatus

    from application.errors import TooBusy, TooManyAttempts
    from domain.refusals import TooManyMails


@dataclass(frozen=True)
class Wait:
    """A required wait: HTTP status and headers, and a sentence with the reason and the time."""

    status: HTTPStatus
    headers: Mapping[str, str]
    sentence: str


def wait_for(error: TooManyAttempts | TooManyMails | TooBusy) -> Wait:
    """Return the wait that an error asks for."""
    problem = problem_of(error)
    return Wait(problem.status, problem.headers, f"{t(f'retry_after.{problem.code}')} {retry_sentence(problem)}")
