"""What a visitor is told who has to wait before they try again: on the form that they sent, with the time it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.console.error_pages import time_to_wait
from api.console.pages import say
from api.http.problems import problem_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http import HTTPStatus

    from application.errors import TooBusy, TooManyAttempts


@dataclass(frozen=True)
class Wait:
    """Why and for how long a form cannot be taken, as a sentence and as HTTP has it."""

    status: HTTPStatus
    headers: Mapping[str, str]
    sentence: str


def wait_after(error: TooManyAttempts | TooBusy) -> Wait:
    """Return what to tell of an error that passes with time."""
    problem = problem_of(error)
    return Wait(problem.status, problem.headers, f"{say(f'patience.{problem.code}')} {time_to_wait(problem)}")
